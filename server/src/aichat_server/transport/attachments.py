"""Cuts the bytes of files out of a request before it is decoded, so that they stand in memory once.

Decoding would copy them, reading the field again, and so would checking it.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar

from aichat_server.transport.counting import DELIMITED, MessageShape, Reader
from aichat_server.transport.room import Room

CUT_BYTES = 65536
"""Of larger requests, the fields for files are cut out."""

_cut: ContextVar[list[memoryview | None] | None] = ContextVar("cut", default=None)


def cut(raw: bytes, shape: MessageShape, room: Room) -> bytes:
    """Returns the request with a number in each field for a file; `attached` returns the bytes that were there.

    `raw` is well-formed. Raises SERVER_UNAVAILABLE if calls that run now leave no room for the bytes.
    """
    cutter = _Cutter(raw)
    small = b"".join(cutter.message(0, len(raw), shape))
    for view in cutter.views:
        room.take(len(view))
        # The reader of the field holds this view until it has stored the bytes.
        weakref.finalize(view, room.give_back, len(view)).atexit = False
    _cut.set([*cutter.views])
    return small


def attached(field: bytes) -> bytes | memoryview:
    """Returns the bytes of a field for files in the request of this call, once: they are freed with what this returns.

    Raises LookupError if they were returned before.
    """
    views = _cut.get()
    if views is None:
        return field
    view, views[int(field)] = views[int(field)], None
    if view is None:
        raise LookupError("the field was read before")
    return view


class _Cutter(Reader):
    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.views: list[memoryview] = []
        self._view = memoryview(raw)

    def message(self, at: int, end: int, shape: MessageShape) -> list[bytes | memoryview]:
        """Returns a message in pieces, without files."""
        pieces: list[bytes | memoryview] = []
        kept = at
        while at < end:
            start = at
            tag, at = self.varint(at, end)
            begin, at = self.extent(tag & 7, at, end)
            field = shape.get(tag >> 3)
            if field is None or tag & 7 != DELIMITED:
                continue
            if field.holds_file:
                inside: list[bytes | memoryview] = [b"%d" % len(self.views)]
                self.views.append(self._view[begin:at])
            elif field.message is not None:
                inside = self.message(begin, at, field.message)
            else:
                continue
            size = sum(map(len, inside))
            pieces += [self._view[kept:start], _varint(tag), _varint(size), *inside]
            kept = at
        return [*pieces, self._view[kept:end]]


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
