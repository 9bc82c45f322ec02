"""Failures as Anthropic's API tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import msgspec
from grpc import StatusCode

from aichat_server.compat.domain.anthropic.problems import problem_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.limits.domain.limits import LimitName
from aichat_server.limits.domain.standings import RESET_SECONDS, Standing
from aichat_server.transport.errors import STATUS_CODES
from aichat_server.transport.foreign import Refusal

_STATUSES: Mapping[StatusCode, int] = MappingProxyType(
    {
        StatusCode.OK: 200,
        StatusCode.INVALID_ARGUMENT: 400,
        StatusCode.OUT_OF_RANGE: 400,
        StatusCode.FAILED_PRECONDITION: 400,
        StatusCode.UNAUTHENTICATED: 401,
        StatusCode.PERMISSION_DENIED: 403,
        StatusCode.NOT_FOUND: 404,
        StatusCode.ALREADY_EXISTS: 409,
        StatusCode.ABORTED: 409,
        StatusCode.CANCELLED: 499,
        StatusCode.RESOURCE_EXHAUSTED: 429,
        StatusCode.UNIMPLEMENTED: 404,
        StatusCode.INTERNAL: 500,
        StatusCode.UNKNOWN: 500,
        StatusCode.DATA_LOSS: 500,
        StatusCode.DEADLINE_EXCEEDED: 504,
        StatusCode.UNAVAILABLE: 529,
    }
)
_OWN_STATUSES: Mapping[Reason, int] = MappingProxyType(
    {
        Reason.REQUEST_TOO_LARGE: 413,
        Reason.QUOTA_EXCEEDED: 402,
        Reason.FREE_PLAN_EXHAUSTED: 402,
        Reason.PAYMENT_DECLINED: 402,
        Reason.SUBSCRIPTION_MISSING: 402,
        Reason.MODEL_NOT_IN_PLAN: 403,
        Reason.PROVIDER_MODEL_MISSING: 404,
        Reason.PROVIDER_NOT_CONFIGURED: 404,
        Reason.PROVIDER_TIMEOUT: 504,
        Reason.PROVIDER_STREAM_BROKEN: 500,
        Reason.PROVIDER_EMPTY_ANSWER: 500,
        Reason.ANSWER_INVALID: 500,
    }
)
"""Where Anthropic has another status than other HTTP APIs."""
_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        499: "api_error",
        500: "api_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
_IN_VAIN = frozenset(
    {
        Reason.QUOTA_EXCEEDED,
        Reason.FREE_PLAN_EXHAUSTED,
        Reason.PAYMENT_DECLINED,
        Reason.MODEL_UNKNOWN,
        Reason.REQUEST_ID_REUSED,
        # Each attempt would be charged.
        Reason.ANSWER_INVALID,
    }
)
"""The same call would fail again, though clients would repeat it by its status."""

_UNTHREADED = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""SDKs send the whole conversation then: their runners of tools begin each one as a thread of the vendor's."""
_LIMITS: Mapping[str, str] = MappingProxyType({LimitName.REQUESTS: "requests", LimitName.TOKENS: "tokens"})
"""By the names of limits, what Anthropic's headers call them."""


class AnthropicErrors:
    """Writes failures."""

    def refusal(self, error: AichatError, request_id: str) -> Refusal:
        """See ForeignErrors."""
        status = _status(error)
        return Refusal(status, msgspec.json.encode(_body(error, status, request_id)), dict(_headers(error)))

    def last_event(self, error: AichatError, request_id: str) -> bytes:
        """See ForeignErrors."""
        told = _body(error, _status(error), request_id)
        return b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"


def limit_headers(standing: Standing) -> Mapping[str, str]:
    """Returns what the API says of one limit of a call that it admits."""
    told = {"limit": str(standing.most)}
    if standing.left is not None:
        resets_at = datetime.now(UTC) + timedelta(seconds=RESET_SECONDS)
        told |= {"remaining": str(standing.left), "reset": f"{resets_at:%Y-%m-%dT%H:%M:%SZ}"}
    return {f"anthropic-ratelimit-{_LIMITS[standing.name]}-{name}": value for name, value in told.items()}


def _status(error: AichatError) -> int:
    return _OWN_STATUSES.get(error.reason) or _STATUSES[STATUS_CODES[error.reason]]


def _headers(error: AichatError) -> Mapping[str, str]:
    told = {}
    if error.retry_after is not None:
        told["retry-after"] = str(math.ceil(error.retry_after))
        told["retry-after-ms"] = str(math.ceil(error.retry_after * 1000))
    if error.reason in _IN_VAIN:
        told["x-should-retry"] = "false"
    if (unit := _LIMITS.get(error.metadata.get("name", ""))) is not None:
        for name, ours in (("limit", "limit"), ("remaining", "remaining"), ("reset", "reset_time")):
            told[f"anthropic-ratelimit-{unit}-{name}"] = error.metadata[ours]
    return told


def _body(error: AichatError, status: int, request_id: str) -> Mapping[str, object]:
    told: dict[str, object] = {"type": _TYPES.get(status, "invalid_request_error"), "message": problem_of(error)}
    if [violation.field for violation in error.violations] == ["thread"]:
        told["details"] = _UNTHREADED
    return {"type": "error", "error": told, "request_id": request_id}
