"""Failures as OpenAI's API tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from grpc import StatusCode

from aichat_server.core.errors import AichatError, FieldViolation, Reason
from aichat_server.limits.domain.limits import LimitName
from aichat_server.limits.domain.standings import RESET_SECONDS, Standing
from aichat_server.transport.errors import STATUS_CODES
from aichat_server.transport.foreign import Refusal

INVALID, SERVER, QUOTA = "invalid_request_error", "server_error", "insufficient_quota"
_LIMITED = 429
_PLAN, _MESSAGES = "plan_type", "messages"
_IN_RESPONSES: Mapping[str, str] = MappingProxyType({_MESSAGES: "input", "response_format": "text.format"})
"""What the Responses API calls parameters of Chat Completions."""


class Told(NamedTuple):
    """What the API says of one reason."""

    status: int
    type: str
    code: str
    final: bool = False
    """Whether the SDKs must not repeat the call, though they repeat others with its status."""
    param: str | None = None
    """The parameter, if the error names none."""


_BY_STATUS: Mapping[StatusCode, tuple[int, str]] = MappingProxyType(
    {
        StatusCode.INVALID_ARGUMENT: (400, INVALID),
        StatusCode.FAILED_PRECONDITION: (400, INVALID),
        StatusCode.UNAUTHENTICATED: (401, INVALID),
        StatusCode.PERMISSION_DENIED: (403, INVALID),
        StatusCode.NOT_FOUND: (404, INVALID),
        StatusCode.ALREADY_EXISTS: (409, INVALID),
        StatusCode.ABORTED: (409, INVALID),
        StatusCode.CANCELLED: (499, INVALID),
        StatusCode.RESOURCE_EXHAUSTED: (429, "rate_limit_error"),
        StatusCode.INTERNAL: (500, SERVER),
        StatusCode.UNAVAILABLE: (503, SERVER),
    }
)
_TOLD: Mapping[Reason, Told] = MappingProxyType(
    {
        Reason.CREDENTIALS_MISSING: Told(401, INVALID, "invalid_api_key"),
        Reason.CREDENTIALS_INVALID: Told(401, INVALID, "invalid_api_key"),
        Reason.CREDENTIALS_EXPIRED: Told(401, INVALID, "invalid_api_key"),
        Reason.CREDENTIALS_REVOKED: Told(401, INVALID, "invalid_api_key"),
        Reason.REQUEST_INVALID: Told(400, INVALID, "invalid_value"),
        Reason.REQUEST_MALFORMED: Told(400, INVALID, "invalid_json"),
        Reason.REQUEST_TOO_LARGE: Told(413, INVALID, "request_too_large"),
        Reason.OPTION_UNSUPPORTED: Told(400, INVALID, "unsupported_parameter"),
        Reason.PART_UNSUPPORTED: Told(400, INVALID, "unsupported_content", param=_MESSAGES),
        Reason.MODEL_UNKNOWN: Told(404, INVALID, "model_not_found", final=True, param="model"),
        Reason.MODEL_NOT_IN_PLAN: Told(403, INVALID, "model_not_found", final=True, param="model"),
        Reason.PROVIDER_MODEL_MISSING: Told(404, INVALID, "model_not_found", final=True, param="model"),
        Reason.MODEL_UNSUITABLE: Told(400, INVALID, "model_unsuitable", param="model"),
        Reason.CONTEXT_EXCEEDED: Told(400, INVALID, "context_length_exceeded", param=_MESSAGES),
        Reason.RATE_LIMITED: Told(429, "requests", "rate_limit_exceeded"),
        Reason.QUOTA_EXCEEDED: Told(429, QUOTA, QUOTA, final=True),
        Reason.FREE_PLAN_EXHAUSTED: Told(429, QUOTA, QUOTA, final=True),
        Reason.REQUEST_ID_REUSED: Told(409, INVALID, "idempotency_key_reused", final=True),
        Reason.ANSWER_REFUSED: Told(400, INVALID, "content_filter"),
        Reason.ANSWER_INVALID: Told(400, INVALID, "answer_invalid", param="response_format"),
        # The caller can do nothing about it, and neither can a repeated call.
        Reason.PROVIDER_NOT_CONFIGURED: Told(503, SERVER, "provider_not_configured", final=True),
        # Codex knows these two, and asks again later.
        Reason.PROVIDER_OVERLOADED: Told(503, SERVER, "server_is_overloaded"),
        Reason.PROVIDER_RATE_LIMITED: Told(503, SERVER, "slow_down"),
        Reason.PROVIDER_TIMEOUT: Told(504, SERVER, "provider_timeout"),
        Reason.ROUTE_UNKNOWN: Told(404, INVALID, "unknown_url"),
    }
)
_UNITS: Mapping[str, str] = MappingProxyType(
    {LimitName.REQUESTS: "requests", LimitName.TOKENS: "tokens", LimitName.STREAMS: "streams"}
)


class OpenAIErrors:
    """Writes failures."""

    def refusal(self, error: AichatError, request_id: str) -> Refusal:  # noqa: ARG002 — the header has it
        """See ForeignErrors."""
        told = told_of(error)
        return Refusal(told.status, msgspec.json.encode({"error": error_json(error)}), dict(_headers(error, told)))

    def last_event(self, error: AichatError, request_id: str) -> bytes:  # noqa: ARG002 — the header has it
        """See ForeignErrors. Clients of Chat Completions read `error` alone, and those of Responses all fields."""
        told = error_json(error)
        fields = {"type": "error", **{name: told[name] for name in ("code", "message", "param")}, "error": told}
        return b"data: " + msgspec.json.encode(fields) + b"\n\n"


def of_responses(error: AichatError, plan: str) -> AichatError:
    """Returns a failure as the Responses API tells it, which has other names for parameters.

    It names the plan whose limit was reached. Codex never repeats a call with this status, and says when the limit
    ends.
    """
    told = told_of(error)
    if (param := _IN_RESPONSES.get(told.param or "")) is not None and not error.violations:
        violation = FieldViolation(param, error.message)
        return AichatError(error.reason, error.message, metadata=error.metadata, violations=(violation,))
    if told.status != _LIMITED:
        return error
    return AichatError(
        error.reason,
        error.message,
        metadata={**error.metadata, _PLAN: plan},
        retry_after=error.retry_after,
        quota_subject=error.quota_subject,
    )


def told_of(error: AichatError) -> Told:
    """Returns what the API says of an error."""
    reason = error.reason
    if reason is Reason.RATE_LIMITED:
        return _TOLD[reason]._replace(type=_unit(error))
    known = _TOLD.get(reason)
    return known if known is not None else Told(*_BY_STATUS[STATUS_CODES[reason]], reason.lower())


def error_json(error: AichatError) -> dict[str, object]:
    """Returns the error object of a response or a stream."""
    told = told_of(error)
    param = error.violations[0].field if error.violations else told.param
    body: dict[str, object] = {"message": _message(error), "type": told.type, "param": param or None, "code": told.code}
    if (plan := error.metadata.get(_PLAN)) is None:
        return body
    limit: dict[str, object] = {"type": "usage_limit_reached", "plan_type": plan}
    if (reset := error.metadata.get("reset_time")) is not None:
        limit["resets_at"] = math.ceil(datetime.fromisoformat(reset).timestamp())
    return body | limit


def _message(error: AichatError) -> str:
    """Returns the message with the words that clients look for."""
    about = error.metadata
    if error.reason is Reason.RATE_LIMITED and error.retry_after is not None:
        # Codex reads the seconds.
        return f"Rate limit reached: {error.message}. Please try again in {math.ceil(error.retry_after)}s."
    if error.reason is Reason.CONTEXT_EXCEEDED and "context_window" in about:
        most, tokens = about["context_window"], about.get("input_tokens", "more")
        words = f"This model's maximum context length is {most} tokens. However, your messages resulted in {tokens}"
        return f"{words} tokens: {error.message}."
    if error.reason in (Reason.QUOTA_EXCEEDED, Reason.FREE_PLAN_EXHAUSTED):
        return f"You exceeded your current quota: {error.message}."
    return error.message


def _headers(error: AichatError, told: Told) -> dict[str, str]:
    headers = {"x-should-retry": "false"} if told.final else {}
    if error.retry_after is not None and not told.final:
        headers["retry-after"] = str(math.ceil(error.retry_after))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    if error.reason is Reason.RATE_LIMITED and {"limit", "remaining"} <= error.metadata.keys():
        unit = _unit(error)
        headers[f"x-ratelimit-limit-{unit}"] = error.metadata["limit"]
        headers[f"x-ratelimit-remaining-{unit}"] = error.metadata["remaining"]
        headers[f"x-ratelimit-reset-{unit}"] = _duration(error.retry_after or 0)
    return headers


def limit_headers(standing: Standing) -> Mapping[str, str]:
    """Returns what the API says of one limit of a call that it admits."""
    told = {"limit": str(standing.most)}
    if standing.left is not None:
        told |= {"remaining": str(standing.left), "reset": _duration(RESET_SECONDS)}
    return {f"x-ratelimit-{name}-{_UNITS[standing.name]}": value for name, value in told.items()}


def _duration(seconds: float) -> str:
    """Returns a duration as OpenAI writes it, such as "1m1s"."""
    minutes, left = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{left}s" if minutes else f"{left}s"


def _unit(error: AichatError) -> str:
    return _UNITS.get(error.metadata.get("name", ""), "requests")
