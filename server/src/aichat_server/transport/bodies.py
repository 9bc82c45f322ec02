"""Receives the HTTP bodies of other companies' APIs: unpacked, counted, and held in memory once.

A body is JSON. Nothing of it becomes an object before its values are counted. The event loop is never kept for more
than a few milliseconds.
"""

from __future__ import annotations

import asyncio
import weakref
from contextvars import ContextVar
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from aichat_server.transport.attachments import attached
from aichat_server.transport.call import Call
from aichat_server.transport.decoding import too_large
from aichat_server.transport.json_counting import checked
from aichat_server.transport.room import Room
from aichat_server.transport.unpacking import pieces_of

SMALL_BYTES = 65536
"""Larger bodies take some of the room."""

_received: ContextVar[list[bytes | memoryview]] = ContextVar("received")


async def receive_body(request: Any, call: Call, room: Room) -> None:
    """Receives the body of a request to another company's API, if it has one; `received_body` returns it.

    Raises REQUEST_MALFORMED if it cannot be unpacked or is not UTF-8, REQUEST_TOO_LARGE if it is larger than the RPC
    allows, REQUEST_INVALID if it has too many values, and SERVER_UNAVAILABLE if there is no room for it.
    """
    if call.access.foreign_api is None or "body" not in request.DESCRIPTOR.fields_by_name:
        return
    body: bytes | memoryview = attached(request.body.data)
    encoding = ",".join(call.values("content-encoding")).strip().lower()
    if encoding not in ("", "identity"):
        body = await _unpacked(body, encoding, call.access.max_request_bytes, room)
    if len(body) > call.access.max_request_bytes:
        raise too_large(len(body), call.access.max_request_bytes)
    for _ in checked(body):
        await asyncio.sleep(0)
    _received.set([body])


def received_body(body: HttpBody) -> bytes | memoryview:
    """Returns the body of this call's request, once: it is freed with what this returns.

    Outside of a call that is the data of `body`. Raises LookupError if it was returned before.
    """
    received = _received.get(None)
    if received is None:
        data: bytes = body.data
        return data
    if not received:
        raise LookupError("the body was read before")
    return received.pop()


async def _unpacked(body: bytes | memoryview, encoding: str, most: int, room: Room) -> bytes | memoryview:
    """Returns an unpacked body, which takes some of the room as it grows."""
    unpacked = bytearray()
    with room.growing() as taken:
        for piece in pieces_of(body, encoding):
            taken.grow(len(piece))
            unpacked += piece
            if len(unpacked) > most:
                raise too_large(len(unpacked), most)
            await asyncio.sleep(0)
    if len(unpacked) <= SMALL_BYTES:
        return bytes(unpacked)
    room.take(len(unpacked))
    view = memoryview(unpacked).toreadonly()
    weakref.finalize(view, room.give_back, len(view)).atexit = False
    return view
