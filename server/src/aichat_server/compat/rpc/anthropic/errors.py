"""Failures as Anthropic's API tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from grpc import StatusCode

from aichat_server.core.errors import AichatError, Reason
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
_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        529: "overloaded_error",
    }
)


class AnthropicErrors:
    """Writes failures."""

    def refusal(self, error: AichatError, request_id: str) -> Refusal:
        """See ForeignErrors."""
        status = 413 if error.reason is Reason.REQUEST_TOO_LARGE else _STATUSES[STATUS_CODES[error.reason]]
        headers = {"retry-after": str(math.ceil(error.retry_after))} if error.retry_after is not None else {}
        return Refusal(status, msgspec.json.encode(_body(error, status, request_id)), headers)

    def last_event(self, error: AichatError, request_id: str) -> bytes:
        """See ForeignErrors."""
        told = _body(error, _STATUSES[STATUS_CODES[error.reason]], request_id)
        return b"event: error\ndata: " + msgspec.json.encode(told) + b"\n\n"


def _body(error: AichatError, status: int, request_id: str) -> Mapping[str, object]:
    told = {"type": _TYPES.get(status, "invalid_request_error"), "message": error.message}
    return {"type": "error", "error": told, "request_id": request_id}
