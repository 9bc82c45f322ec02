"""Tokens of unsubscribe links: a token only allows ending a member's e-mails of an organisation.

URL-safe base64 of organisation, member, and an HMAC-SHA-256 over both. They do not expire, since e-mails do not either.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from uuid import UUID

_PURPOSE = b"aichat unsubscribe "
_ID_BYTES = 16


def sign(secret: str, org_id: UUID, member_id: UUID) -> str:
    """Returns the member's token."""
    named = org_id.bytes + member_id.bytes
    return base64.urlsafe_b64encode(named + _seal(secret, named)).rstrip(b"=").decode()


def read(secret: str, token: str) -> tuple[UUID, UUID] | None:
    """Returns the organisation and the member in `token`; None if it was not signed with `secret`."""
    try:
        whole = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    named, seal = whole[: 2 * _ID_BYTES], whole[2 * _ID_BYTES :]
    if not hmac.compare_digest(seal, _seal(secret, named)):
        return None
    return UUID(bytes=named[:_ID_BYTES]), UUID(bytes=named[_ID_BYTES:])


def _seal(secret: str, named: bytes) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE + named, "sha256")
