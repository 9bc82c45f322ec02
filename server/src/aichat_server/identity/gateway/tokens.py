"""Session tokens: the JWTs that Supabase Auth issues to users who sign in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt

from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.gateway.jwks import SigningKeys

# Two machines' clocks are never exactly the same.
_LEEWAY_SECONDS = 5
# PyJWT would check times with this machine's own clock.
_CHECKED: Any = {"require": ["exp", "sub", "aud", "iss"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
# The longest address allowed (RFC 5321).
_MOST_EMAIL_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class Session:
    """The contents of a verified token."""

    user_id: UUID
    email: str | None
    expires_in: float
    """The seconds until it expires; below 0 within the leeway."""
    is_anonymous: bool
    """Whether nobody signed in: Supabase issues such a token, with a new user, to anybody."""


class TokenVerifier:
    """Verifies session tokens of one issuer."""

    def __init__(
        self, keys: SigningKeys, *, issuer: str, audience: str, secret: str | None, now: Callable[[], datetime]
    ) -> None:
        """`secret`: the shared secret of projects that sign with HS256; None if all sign with a key pair.

        `now` returns the time for checking expiry.
        """
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._secret = secret
        self._now = now

    async def verify(self, token: str) -> Session:
        """Returns the token's contents.

        Raises CREDENTIALS_EXPIRED if it was valid, CREDENTIALS_INVALID if it never was, SIGN_IN_UNAVAILABLE if that is
        unknown because the keys cannot be read.
        """
        with _reading():
            header = jwt.get_unverified_header(token)
        key, algorithm = await self._key(header)
        with _reading():
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options=_CHECKED,
            )
            return _session(claims, self._now().timestamp())

    async def _key(self, header: Mapping[str, Any]) -> tuple[jwt.PyJWK | str, str]:
        """Returns the key to verify with, and the key's own algorithm, whatever the token claims."""
        if header.get("alg") == "HS256":
            if self._secret is None:
                raise _invalid()
            return self._secret, "HS256"
        key_id = header.get("kid")
        found = await self._keys.find(key_id) if isinstance(key_id, str) else None
        if found is None:
            raise _invalid()
        return found.key, found.algorithm


@contextmanager
def _reading() -> Iterator[None]:
    """Turns every failure inside into an invalid token: a signature proves the author, not a valid form."""
    try:
        yield
    except jwt.ExpiredSignatureError as cause:
        raise AichatError(Reason.CREDENTIALS_EXPIRED, "the session token has expired; sign in again") from cause
    except Exception as cause:
        raise _invalid() from cause


def _session(claims: Mapping[str, Any], now: float) -> Session:
    """Returns the session; raises ExpiredSignatureError for an expired one, other errors for invalid claims."""
    expires_in = int(claims["exp"]) - now
    if expires_in <= -_LEEWAY_SECONDS:
        raise jwt.ExpiredSignatureError
    for claim in ("nbf", "iat"):
        if int(claims.get(claim, 0)) > now + _LEEWAY_SECONDS:
            raise jwt.ImmatureSignatureError
    user_id = UUID(claims["sub"])
    if str(user_id) != claims["sub"].lower():
        raise ValueError("the user's id is written in another way")
    return Session(
        user_id=user_id,
        email=_email(claims.get("email")),
        expires_in=expires_in,
        # Everything except absent and false counts as anonymous.
        is_anonymous=claims.get("is_anonymous") not in (None, False),
    )


def _email(claim: object) -> str | None:
    if not isinstance(claim, str | None):
        raise TypeError("the address is no text")
    if claim and (len(claim) > _MOST_EMAIL_CHARACTERS or not claim.isprintable()):
        raise ValueError("the address is none")
    return claim or None


def _invalid() -> AichatError:
    return AichatError(Reason.CREDENTIALS_INVALID, "the session token is not valid here; sign in again")
