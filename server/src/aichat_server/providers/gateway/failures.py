"""Maps a vendor's failures to the contract's errors."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import aiohttp

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.retry import UnexplainedError
from aichat_server.providers.gateway.accounts import is_about_account
from aichat_server.providers.gateway.sse import BrokenStreamError
from aichat_server.providers.gateway.transport import StatusError

LONGEST_DETAIL = 500

MESSAGES = {
    Reason.PROVIDER_CREDENTIALS_REJECTED: "{provider} refused this server's credentials; its operator must renew them",
    Reason.PROVIDER_MODEL_MISSING: "{provider} does not offer the model {model}; choose another one",
    Reason.PROVIDER_REQUEST_REJECTED: "{provider} refused the request",
    Reason.PROVIDER_RATE_LIMITED: "{provider} limits this server's rate; try again later",
    Reason.PROVIDER_OVERLOADED: "{provider} is overloaded; try again later",
    Reason.PROVIDER_UNAVAILABLE: "{provider} cannot be reached or failed; try again later",
    Reason.PROVIDER_TIMEOUT: "{provider} fell silent for too long; try again",
    Reason.PROVIDER_STREAM_BROKEN: "{provider} broke off before the answer's end; try again",
    Reason.PROVIDER_EMPTY_ANSWER: "{provider} ended without a word of an answer; try again",
    Reason.ANSWER_REFUSED: "{provider} declined to answer; ask for something else",
}

STATUSES = {
    400: Reason.PROVIDER_REQUEST_REJECTED,
    401: Reason.PROVIDER_CREDENTIALS_REJECTED,
    402: Reason.PROVIDER_CREDENTIALS_REJECTED,
    403: Reason.PROVIDER_CREDENTIALS_REJECTED,
    404: Reason.PROVIDER_MODEL_MISSING,
    408: Reason.PROVIDER_TIMEOUT,
    413: Reason.PROVIDER_REQUEST_REJECTED,
    422: Reason.PROVIDER_REQUEST_REJECTED,
    429: Reason.PROVIDER_RATE_LIMITED,
    503: Reason.PROVIDER_OVERLOADED,
    529: Reason.PROVIDER_OVERLOADED,
}

# The names of errors inside a stream: Anthropic's types, OpenAI's types and codes, Gemini's statuses.
NAMES = {
    "not_found_error": Reason.PROVIDER_MODEL_MISSING,
    "invalid_request_error": Reason.PROVIDER_REQUEST_REJECTED,
    "request_too_large": Reason.PROVIDER_REQUEST_REJECTED,
    "rate_limit_error": Reason.PROVIDER_RATE_LIMITED,
    "overloaded_error": Reason.PROVIDER_OVERLOADED,
    "timeout_error": Reason.PROVIDER_TIMEOUT,
    "rate_limit_exceeded": Reason.PROVIDER_RATE_LIMITED,
    "api_error": Reason.PROVIDER_UNAVAILABLE,
    "server_error": Reason.PROVIDER_UNAVAILABLE,
    "service_unavailable_error": Reason.PROVIDER_OVERLOADED,
    "content_filter": Reason.ANSWER_REFUSED,
    "invalid_prompt": Reason.ANSWER_REFUSED,
    "bio_policy": Reason.ANSWER_REFUSED,
    "cyber_policy": Reason.ANSWER_REFUSED,
    "misalignment_policy_violation": Reason.ANSWER_REFUSED,
    "image_content_policy_violation": Reason.ANSWER_REFUSED,
    "context_length_exceeded": Reason.PROVIDER_REQUEST_REJECTED,
    **dict.fromkeys(
        (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "image_file_not_found",
        ),
        Reason.PROVIDER_REQUEST_REJECTED,
    ),
    "NOT_FOUND": Reason.PROVIDER_MODEL_MISSING,
    "INVALID_ARGUMENT": Reason.PROVIDER_REQUEST_REJECTED,
    "RESOURCE_EXHAUSTED": Reason.PROVIDER_RATE_LIMITED,
    "INTERNAL": Reason.PROVIDER_UNAVAILABLE,
    "UNAVAILABLE": Reason.PROVIDER_OVERLOADED,
    "DEADLINE_EXCEEDED": Reason.PROVIDER_TIMEOUT,
}

VENDOR_ERRORS = (StatusError, aiohttp.ClientError, OSError, BrokenStreamError)
"""All failures of a vendor, or of the connection to it."""

_SAID_BETTER = frozenset({Reason.PROVIDER_CREDENTIALS_REJECTED, Reason.ANSWER_REFUSED})
"""Refusals that a body states better than its status: Anthropic and Google refuse accounts with 400."""

_NUMBER = re.compile(r"\d{1,9}(\.\d+)?")

# Parts of vendors' messages that concern only the operator.
_PRIVATE = re.compile(
    r"\b(?:https?://|www\.)\S+"
    r"|\b(?:sk|pk|rk|ak|org|proj|user|key|req|acct|gsk|xai|pplx)[-_](?=[\w*.-]*[0-9*])[\w*.-]{6,}"
    r"|\b(?:AIza|ya29|eyJ)[\w*.-]{8,}"
    r"|(?<=\bBearer )\S+"
    r"|\b[\w.+-]+@[\w-]+\.[\w.]+"
)


def failure(
    reason: Reason, provider: str, model: str, *, detail: str = "", retry_after: float | None = None
) -> AichatError:
    """Returns the error for `reason`.

    `detail` is the vendor's own message, shown if it helps to correct the request.
    """
    message = MESSAGES[reason].format(provider=provider, model=model)
    if detail and reason is Reason.PROVIDER_REQUEST_REJECTED:
        message += ": " + shown(detail)
    metadata = {"provider": provider}
    if reason is Reason.PROVIDER_MODEL_MISSING:
        metadata["model"] = model
    return AichatError(reason, message, metadata=metadata, retry_after=retry_after)


def from_event(error: object, provider: str, model: str) -> AichatError:
    """Returns the error for an event that a vendor sent inside its stream."""
    told = error if isinstance(error, Mapping) else {}
    reason = _named(told)
    if reason is None:
        status = _number(told.get("code"))
        reason = from_status(status) if status is not None else None
    wait = _retry_info(told)
    if reason is None:
        failed = failure(Reason.PROVIDER_UNAVAILABLE, provider, model)
        return UnexplainedError(failed.reason, failed.message, metadata=failed.metadata, retry_after=wait)
    return failure(reason, provider, model, detail=_message(told), retry_after=wait)


def from_status(status: int) -> Reason:
    """Returns the reason for an HTTP error status."""
    unlisted = Reason.PROVIDER_REQUEST_REJECTED if 400 < status < 500 else Reason.PROVIDER_UNAVAILABLE
    return STATUSES.get(status, unlisted)


def from_exception(error: Exception, provider: str, model: str, *, begun: bool) -> AichatError:
    """Returns the error for one of VENDOR_ERRORS; `begun` if the answer had begun."""
    if isinstance(error, StatusError):
        return _from_response(error, provider, model)
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
        return failure(Reason.PROVIDER_TIMEOUT, provider, model)
    return failure(Reason.PROVIDER_STREAM_BROKEN if begun else Reason.PROVIDER_UNAVAILABLE, provider, model)


def shown(detail: str) -> str:
    """Returns a vendor's message in a form for callers.

    It has no addresses, nothing that looks like a key or an account's name, and no character that cannot be stored.
    """
    clean = detail[: 2 * LONGEST_DETAIL].replace("\0", "").encode(errors="replace").decode()
    return _PRIVATE.sub("[…]", clean)[:LONGEST_DETAIL]


def _from_response(response: StatusError, provider: str, model: str) -> AichatError:
    inner = response.body.get("error")
    error: Mapping[str, object] = inner if isinstance(inner, Mapping) else response.body
    reason = from_status(response.status)
    if response.status < 500 and _named(error) in _SAID_BETTER:
        reason = _named(error) or reason
    wait = _retry_after(response.headers)
    return failure(
        reason, provider, model, detail=_message(error), retry_after=_retry_info(error) if wait is None else wait
    )


def _named(error: Mapping[str, object]) -> Reason | None:
    """Returns the reason for an error's names and message; None if neither is known."""
    names = [error.get(key) for key in ("code", "type", "status")]
    reasons = [detail.get("reason") for detail in _details(error)]
    # Google's rate limits have the message of an empty account, but also a delay.
    if is_about_account([*names, *reasons], "" if _retry_info(error) is not None else _message(error)):
        return Reason.PROVIDER_CREDENTIALS_REJECTED
    if isinstance(metadata := error.get("metadata"), Mapping) and "flagged_input" in metadata:
        # OpenRouter reports moderation with 403.
        return Reason.ANSWER_REFUSED
    return next((NAMES[name] for name in names if isinstance(name, str) and name in NAMES), None)


def _number(code: object) -> int | None:
    """Returns an HTTP status that replaces a name; some vendors write it as a string."""
    if isinstance(code, str) and re.fullmatch("[1-5][0-9][0-9]", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _message(error: Mapping[str, object]) -> str:
    message = error.get("message")
    return message if isinstance(message, str) else ""


def _details(error: Mapping[str, object]) -> list[Mapping[str, object]]:
    details = error.get("details")
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def _retry_info(error: Mapping[str, object]) -> float | None:
    for detail in _details(error):
        delay = str(detail.get("retryDelay", "")).removesuffix("s")
        if _NUMBER.fullmatch(delay):
            return float(delay)
    return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Returns the delay of `retry-after-ms` or `retry-after` (seconds or an HTTP date), in seconds."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        if _NUMBER.fullmatch(headers.get(name, "")):
            return float(headers[name]) / unit
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max((date - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
