"""Decodes server-sent events from the bytes as they arrive."""

from __future__ import annotations

MAX_EVENT_BYTES = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BrokenStreamError(Exception):
    """The vendor's bytes cannot be decoded."""


class SseDecoder:
    """Returns the data of each complete event, however the bytes were split; one decoder for each stream.

    Accepts LF, CRLF and CR, joins several `data` lines with LF, and drops one byte order mark in front, comments and
    every other field: all vendors repeat the event's name inside its data.
    """

    __slots__ = ("_begun", "_most_bytes", "_rest")

    def __init__(self, most_bytes: int = MAX_EVENT_BYTES) -> None:
        """An event has at most `most_bytes`."""
        self._most_bytes = most_bytes
        self._rest = b""
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns the events that `chunk` completes; raises BrokenStreamError if one is too large."""
        buffer = self._rest + chunk if self._rest else chunk
        if not self._begun:
            if len(buffer) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(buffer):
                self._rest = buffer
                return []
            self._begun, buffer = True, buffer.removeprefix(_BYTE_ORDER_MARK)
        held = b""
        if b"\r" in buffer:
            if buffer.endswith(b"\r"):
                buffer, held = buffer[:-1], b"\r"
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *blocks, rest = buffer.split(b"\n\n")
        if len(buffer) > self._most_bytes and max(map(len, (*blocks, rest))) > self._most_bytes:
            raise BrokenStreamError(f"an event of more than {self._most_bytes} bytes")
        self._rest = rest + held
        return [data for block in blocks if (data := _data(block))]

    def finish(self) -> list[bytes]:
        """Returns the rest when the stream ends: an event without its closing blank line, if any."""
        return self.feed(b"\n\n")


def _data(block: bytes) -> bytes:
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines = [line[5:].removeprefix(b" ") for line in block.split(b"\n") if line.startswith(b"data:")]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)
