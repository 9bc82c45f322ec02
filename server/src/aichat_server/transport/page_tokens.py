"""Page tokens: a position in a list, as opaque text that callers return unchanged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.pages import PageKey

DEFAULT_PAGE_SIZE = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSITION = struct.Struct(">q16s")
_CHECK_BYTES = 8


def encode_page_token(scope: str, position: PageKey) -> str:
    """Returns a token for the page after `position` of the list `scope`."""
    return _sealed(scope, _POSITION.pack((position.time - _EPOCH) // timedelta(microseconds=1), position.id.bytes))


def decode_page_token(scope: str, token: str) -> PageKey | None:
    """Returns the position in a token; None for an empty one. Raises PAGE_TOKEN_INVALID for another list's token."""
    if not token:
        return None
    with _refused():
        microseconds, item_id = _POSITION.unpack(_opened(scope, token))
        return PageKey(_EPOCH + timedelta(microseconds=microseconds), UUID(bytes=item_id))


def encode_name_token(scope: str, name: str) -> str:
    """Like encode_page_token, for a list whose next page begins after a name."""
    return _sealed(scope, name.encode())


def decode_name_token(scope: str, token: str) -> str | None:
    """Like decode_page_token, for the name in a token."""
    if not token:
        return None
    with _refused():
        return _opened(scope, token).decode()


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (binascii.Error, ValueError, OverflowError, struct.error) as cause:
        message = "the page token is not one that this list handed out; begin with the first page"
        raise AichatError(Reason.PAGE_TOKEN_INVALID, message) from cause


def _sealed(scope: str, packed: bytes) -> str:
    return _text(packed + _check(scope, packed))


def _opened(scope: str, token: str) -> bytes:
    raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    packed = raw[:-_CHECK_BYTES]
    if _text(raw) != token or raw[-_CHECK_BYTES:] != _check(scope, packed):
        raise ValueError("the token is of another list, or of none")
    return packed


def _check(scope: str, packed: bytes) -> bytes:
    """Returns a checksum that ties a position to its list. It prevents mix-ups; it does not grant access."""
    return hashlib.blake2b(packed, key=scope.encode(), digest_size=_CHECK_BYTES).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
