"""API keys: text that names its organisation and itself, so that its row is found inside the organisation.

`ak_`, then organisation and key as 22 base62 characters each, then 26 random ones, and 6 that are a checksum of all
before: what was mistyped, cut short or made up is told without asking the database. The ids of keys that have one are
of UUID version 8. Those of version 7 are older, and have 32 random characters.
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
# Ids of version 7 begin with the time, and nothing mints them any more.
_UNCHECKED_UNTIL_MS = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)


def new_key(org_id: UUID) -> tuple[UUID, str]:
    """A new key of the organisation: its id, and the text that its holder keeps secret."""
    key_id = UUID(int=new_id().int & ~(0xF << 76) | _CHECKED_VERSION << 76)
    secret = "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH))
    body = _encode(org_id.int, _ID_LENGTH) + _encode(key_id.int, _ID_LENGTH) + secret
    return key_id, PREFIX + body + _checksum(body)


def parse(text: str) -> tuple[UUID, UUID] | None:
    """The organisation and the key that `text` names; None if it is no API key that was ever minted."""
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
    """What is stored of a key. Its 150 random bits need no slow hash."""
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
