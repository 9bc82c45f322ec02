"""Unpacks compressed bodies piece by piece, so that their reader can stop at any size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import zstandard

from aichat_server.core.errors import AichatError, Reason

# Unpacking one takes less than a few milliseconds.
_MOST_PIECE_BYTES = 256 * 1024
# Compressors use no larger window unless they are told to.
_MOST_WINDOW_BYTES = 8 * 1024 * 1024
_GZIP_BITS = 16 + zlib.MAX_WBITS
_SENT_BYTES = 65536


def pieces_of(body: bytes | memoryview, encoding: str) -> Iterator[bytes]:
    """Returns the pieces of a body. Raises REQUEST_MALFORMED, also while they are read."""
    match encoding:
        case "gzip" | "x-gzip":
            return _gzip(memoryview(body))
        case "zstd":
            return _zstd(body)
    message = f"the body's content-encoding is {encoding[:32]!r}; send the body as it is, or in gzip or zstd"
    raise AichatError(Reason.REQUEST_MALFORMED, message)


def _gzip(packed: memoryview) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP_BITS)
    at = 0
    try:
        while not unpacker.eof:
            sent = unpacker.unconsumed_tail
            if not sent:
                sent, at = bytes(packed[at : at + _SENT_BYTES]), at + _SENT_BYTES
            if not sent:
                raise _broken("gzip")
            yield unpacker.decompress(sent, _MOST_PIECE_BYTES)
    except zlib.error:
        raise _broken("gzip") from None
    if unpacker.unused_data or at < len(packed):
        raise _broken("gzip")


def _zstd(packed: bytes | memoryview) -> Iterator[bytes]:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES)
    try:
        with unpacker.stream_reader(packed, read_size=_SENT_BYTES) as reader:
            while piece := reader.read(_MOST_PIECE_BYTES):
                yield piece
    except zstandard.ZstdError:
        raise _broken("zstd") from None


def _broken(encoding: str) -> AichatError:
    return AichatError(Reason.REQUEST_MALFORMED, f"the body is not {encoding}, as its content-encoding says")
