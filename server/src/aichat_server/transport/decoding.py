"""Decodes request bytes: counts first, and refuses with a reason of the contract instead of gRPC's error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.attachments import CUT_BYTES, cut
from aichat_server.transport.counting import check_counts, malformed
from aichat_server.transport.room import Room

_AROUND_BODY_BYTES = 65536
"""The most bytes around a request's HTTP body, whose own size is checked when it is unpacked."""


def decode_request(raw: bytes, access: MethodAccess, decode: Callable[[bytes], Any], room: Room) -> Any:
    """Returns the message; of a large one without its files (see `attached`), which take some of `room`.

    Raises REQUEST_TOO_LARGE, REQUEST_INVALID, SERVER_UNAVAILABLE or REQUEST_MALFORMED, only the last one from decoding.
    """
    if len(raw) > access.max_request_bytes + (0 if access.foreign_api is None else _AROUND_BODY_BYTES):
        raise too_large(len(raw), access.max_request_bytes)
    check_counts(raw, access.request)
    if len(raw) > CUT_BYTES:
        raw = cut(raw, access.request, room)
    try:
        return decode(raw)
    except DecodeError as cause:
        raise malformed() from cause


def too_large(size: int, most: int) -> AichatError:
    """Returns the error for a request of that many bytes."""
    message = f"the request has {size} bytes, {most} are allowed; send less"
    return AichatError(Reason.REQUEST_TOO_LARGE, message, metadata={"limit_bytes": str(most)})
