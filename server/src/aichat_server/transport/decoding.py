"""Decodes request bytes: counts first, and refuses with a reason of the contract instead of gRPC's error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.counting import check_counts, malformed


def decode_request(raw: bytes, access: MethodAccess, decode: Callable[[bytes], Any]) -> Any:
    """Returns the message.

    Raises REQUEST_TOO_LARGE, REQUEST_INVALID or REQUEST_MALFORMED, the first two before decoding.
    """
    if len(raw) > access.max_request_bytes:
        raise _too_large(len(raw), access.max_request_bytes)
    check_counts(raw, access.request)
    try:
        return decode(raw)
    except DecodeError as cause:
        raise malformed() from cause


def _too_large(size: int, most: int) -> AichatError:
    message = f"the request has {size} bytes, {most} are allowed; send less"
    return AichatError(Reason.REQUEST_TOO_LARGE, message, metadata={"limit_bytes": str(most)})
