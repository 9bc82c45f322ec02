"""API keys: the text names its organisation and itself, so that its row can be found inside the organisation.

`ak_`, then organisation and key as 22 base62 characters each, then 26 random characters, and a checksum of 6 over all
before. The checksum detects a mistyped, truncated or made-up key without the database. The ids of keys with a checksum
are UUIDs of version 8. Those of version 7 are older, and have 32 random characters.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from datetime import UTC, datetime
from uuid import UUID

from aichat_server.core.ids import new_id

PREFIX = "ak_"

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 22
_SECRET_LENGTH = 26
_CHECKSUM_LENGTH = 6
_LENGTH = len(PREFIX) + 2 * _ID_LENGTH + _SECRET_LENGTH + _CHECKSUM_LENGTH

_CHECKED_VERSION = 8
_UNCHECKED_VERSION = 7
# Ids of version 7 begin with the time, and no new keys have them.
_UNCHECKED_UNTIL_MS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)


def new_key(org_id: UUID) -> tuple[UUID, str]:
    """Creates a key of the organisation; returns its id, and the secret text."""
    key_id = UUID(int=new_id().int & ~(0xF << 76) | _CHECKED_VERSION << 76)
    secret = "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH))
    body = _encode(org_id.int, _ID_LENGTH) + _encode(key_id.int, _ID_LENGTH) + secret
    return key_id, PREFIX + body + _checksum(body)


def parse(text: str) -> tuple[UUID, UUID] | None:
    """Returns the organisation and the key in `text`; None if it was never an API key."""
    body = text[len(PREFIX) :]
    if not text.startswith(PREFIX) or len(text) != _LENGTH or not set(body) <= set(_DIGITS):
        return None
    org_id, key_id = _decode(body[:_ID_LENGTH]), _decode(body[_ID_LENGTH : 2 * _ID_LENGTH])
    if org_id is None or key_id is None:
        return None
    if key_id.version == _CHECKED_VERSION:
        good = body[-_CHECKSUM_LENGTH:] == _checksum(body[:-_CHECKSUM_LENGTH])
    else:
        good = key_id.version == _UNCHECKED_VERSION and key_id.int >> 80 < _UNCHECKED_UNTIL_MS
    return (org_id, key_id) if good else None


def digest(text: str) -> bytes:
    """Returns what is stored of a key. Its 150 random bits need no slow hash."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _checksum(body: str) -> str:
    return _encode(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _encode(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _decode(digits: str) -> UUID | None:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return UUID(int=number) if number < 1 << 128 else None
