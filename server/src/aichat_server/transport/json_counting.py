"""Counts the values of JSON before any of them becomes an object, so that refusing it costs little."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from aichat_server.core.errors import AichatError, Reason, invalid_request

MOST_VALUES = 400_000
"""The most objects, lists, strings and commas of a body: a conversation of 20,000 messages has fewer, and so has the
largest request for embeddings of tokens.
"""

_PIECE_BYTES = 1024 * 1024
_COUNTED = b'"[{,'
_REST = bytes(set(range(256)) - set(_COUNTED))


def checked(body: bytes | memoryview) -> Iterator[None]:
    """Checks a body in steps of a few milliseconds.

    Raises REQUEST_INVALID if it has too many values, and REQUEST_MALFORMED if it is not UTF-8. That it is JSON is not
    checked: of what is none, the result means nothing.
    """
    view = memoryview(body)
    utf8 = codecs.getincrementaldecoder("utf-8")()
    count, in_string, at = 0, False, 0
    while at < len(view):
        piece = _piece(view, at)
        at += len(piece)
        _decode(utf8, piece, final=at == len(view))
        # Escapes are in strings only. What is left of a run of backslashes escapes the character after it.
        marks = piece.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, _REST)
        parts = marks.split(b'"')
        count += len(parts) // 2 + sum(map(len, parts[in_string::2]))
        in_string ^= len(parts) % 2 == 0
        if count > MOST_VALUES:
            raise invalid_request("", f"must not hold more than {MOST_VALUES} values")
        yield


def _piece(view: memoryview, at: int) -> bytes:
    """Returns the next piece, which never separates an escape."""
    piece = bytes(view[at : at + _PIECE_BYTES])
    backslashes = len(piece) - len(piece.rstrip(b"\\"))
    return piece[:-1] if backslashes % 2 and at + len(piece) < len(view) else piece


def _decode(utf8: codecs.IncrementalDecoder, piece: bytes, *, final: bool) -> None:
    try:
        utf8.decode(piece, final)
    except UnicodeDecodeError as cause:
        raise AichatError(Reason.REQUEST_MALFORMED, "the request's body is not UTF-8: send JSON in UTF-8") from cause
