"""Failures as OpenAI's API tells them."""

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
        StatusCode.UNAVAILABLE: 503,
    }
)
_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        429: "rate_limit_error",
        500: "server_error",
        503: "server_error",
    }
)


class OpenAIErrors:
    """Writes failures."""

    def refusal(self, error: AichatError, request_id: str) -> Refusal:  # noqa: ARG002 — the header has it
        """See ForeignErrors."""
        status = 413 if error.reason is Reason.REQUEST_TOO_LARGE else _STATUSES[STATUS_CODES[error.reason]]
        headers = {"retry-after": str(math.ceil(error.retry_after))} if error.retry_after is not None else {}
        return Refusal(status, msgspec.json.encode(_body(error, status)), headers)

    def last_event(self, error: AichatError, request_id: str) -> bytes:  # noqa: ARG002 — the header has it
        """See ForeignErrors."""
        status = _STATUSES[STATUS_CODES[error.reason]]
        return b"data: " + msgspec.json.encode(_body(error, status)) + b"\n\n"


def _body(error: AichatError, status: int) -> Mapping[str, object]:
    param = error.violations[0].field if error.violations else None
    kind = _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": param or None, "code": error.reason.lower()}}
