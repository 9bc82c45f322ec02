"""API keys: text that names its organisation and itself, so that its row is found inside the organisation.

`ak_`, then organisation and key as 22 base62 characters each, then 32 random ones.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from uuid import UUID

from aichat_server.domain.ids import new_id

PREFIX = "ak_"

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 22
_SECRET_LENGTH = 32
_LENGTH = len(PREFIX) + 2 * _ID_LENGTH + _SECRET_LENGTH


def new_key(org_id: UUID) -> tuple[UUID, str]:
    """A new key of the organisation: its id, and the text that its holder keeps secret."""
    key_id = new_id()
    secret = "".join(secrets.choice(_DIGITS) for _ in range(_SECRET_LENGTH))
    return key_id, PREFIX + _encode(org_id) + _encode(key_id) + secret


def parse(text: str) -> tuple[UUID, UUID] | None:
    """The organisation and the key that `text` names; None if it is no API key."""
    body = text[len(PREFIX) :]
    if not text.startswith(PREFIX) or len(text) != _LENGTH or not set(body) <= set(_DIGITS):
        return None
    org_id, key_id = _decode(body[:_ID_LENGTH]), _decode(body[_ID_LENGTH : 2 * _ID_LENGTH])
    return (org_id, key_id) if org_id and key_id else None


def digest(text: str) -> bytes:
    """What is stored of a key. Its 190 random bits need no slow hash."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _encode(value: UUID) -> str:
    number, digits = value.int, []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _decode(digits: str) -> UUID | None:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return UUID(int=number) if number < 1 << 128 else None
