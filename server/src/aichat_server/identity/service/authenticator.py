"""Turns credentials into a principal, or a typed refusal."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain import api_keys
from aichat_server.identity.domain.observing import KeyObserver, KeyRefusal
from aichat_server.identity.domain.principals import Principal, personal_org_id
from aichat_server.identity.gateway.tokens import TokenVerifier
from aichat_server.identity.storage.api_keys import ApiKeyRepository, StoredKey
from aichat_server.identity.storage.organizations import OrganizationRepository

_MOST_CACHED = 10_000
# Replaces the hash of a missing key, so that refusing it takes as long as refusing a wrong one.
_DOTS_IN_TOKENS = 2
_NO_HASH = bytes(hashlib.sha256().digest_size)

_UNKNOWN = (Reason.CREDENTIALS_INVALID, "the API key is unknown; check it, or create a new one")
_REFUSALS: Mapping[KeyRefusal, tuple[Reason, str]] = MappingProxyType(
    {
        KeyRefusal.MALFORMED: _UNKNOWN,
        KeyRefusal.UNKNOWN: _UNKNOWN,
        KeyRefusal.REVOKED: (Reason.CREDENTIALS_REVOKED, "the API key has been revoked; create a new one"),
        KeyRefusal.EXPIRED: (Reason.CREDENTIALS_EXPIRED, "the API key has expired; create a new one"),
    }
)


class Authenticator:
    """Identifies callers by their credentials."""

    def __init__(
        self,
        database: Database,
        tokens: TokenVerifier | None,
        *,
        cache_seconds: float,
        allow_anonymous: bool = False,
        observer: KeyObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tokens` is None without sign-in, with only API keys.

        An authenticated caller is cached for `cache_seconds`, even if the key changes, but never longer than the key or
        token is valid. `allow_anonymous`: accept tokens of users who have not signed in with an account. `observer`
        counts refused keys. `clock` returns monotonic seconds.
        """
        self._database = database
        self._tokens = tokens
        self._cache_seconds = cache_seconds
        self._allow_anonymous = allow_anonymous
        self._observer = observer or KeyObserver()
        self._clock = clock
        self._cache: dict[bytes, tuple[Principal, float]] = {}

    async def authenticate(self, credentials: str) -> Principal:
        """Returns the owner of an API key or session token.

        Raises AichatError with a CREDENTIALS_ reason if it is invalid, ANONYMOUS_NOT_ALLOWED for a user who has not
        signed in.
        """
        if credentials.startswith(api_keys.PREFIX):
            digest = api_keys.digest(credentials)
            return self._cached(digest) or await self._by_api_key(credentials, digest)
        if credentials.count(".") != _DOTS_IN_TOKENS:
            # Most likely it is the key that the client had for another company's API.
            text = f"this is no API key of this platform, which begins with `{api_keys.PREFIX}`, and no session token"
            raise AichatError(Reason.CREDENTIALS_INVALID, text)
        return await self.authenticate_session(credentials)

    async def authenticate_session(self, token: str) -> Principal:
        """Returns the owner of a session token; accepts nothing else."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        return self._cached(digest) or await self._by_token(token, digest)

    async def _by_api_key(self, text: str, digest: bytes) -> Principal:
        named = api_keys.parse(text)
        if named is None:
            raise self._refuse(KeyRefusal.MALFORMED)
        org_id, key_id = named
        asked = self._clock()
        async with self._database.session(org_id) as session:
            stored = await ApiKeyRepository(session).find(key_id)
        if not hmac.compare_digest(stored.key_hash if stored else _NO_HASH, digest) or stored is None:
            raise self._refuse(KeyRefusal.UNKNOWN)
        if stored.revoked_at is not None:
            raise self._refuse(KeyRefusal.REVOKED)
        left = stored.expires_in.total_seconds() if stored.expires_in is not None else self._cache_seconds
        if stored.expires_in is not None and left <= 0:
            raise self._refuse(KeyRefusal.EXPIRED)
        return self._remember(digest, _principal(stored), asked + min(self._cache_seconds, left))

    def _refuse(self, why: KeyRefusal) -> AichatError:
        self._observer.key_refused(why)
        return AichatError(*_REFUSALS[why])

    async def _by_token(self, token: str, digest: bytes) -> Principal:
        if self._tokens is None:
            raise AichatError(Reason.CREDENTIALS_INVALID, "this server accepts no session tokens; use an API key")
        asked = self._clock()
        signed_in = await self._tokens.verify(token)
        if signed_in.is_anonymous and not self._allow_anonymous:
            message = (
                "this server accepts only users who have signed in: sign in with an account, or link one to this user"
            )
            raise AichatError(Reason.ANONYMOUS_NOT_ALLOWED, message)
        org_id = personal_org_id(signed_in.user_id)
        async with self._database.session(org_id, Actor.member(signed_in.user_id)) as session:
            plan = await OrganizationRepository(session).ensure_personal(signed_in.user_id, signed_in.email)
        principal = Principal(org_id, signed_in.user_id, plan=plan)
        return self._remember(digest, principal, asked + min(self._cache_seconds, signed_in.expires_in))

    def _cached(self, digest: bytes) -> Principal | None:
        entry = self._cache.get(digest)
        if entry is None:
            return None
        principal, until = entry
        if until > self._clock():
            return principal
        del self._cache[digest]
        return None

    def _remember(self, digest: bytes, principal: Principal, until: float) -> Principal:
        if len(self._cache) >= _MOST_CACHED:
            # The oldest entry, which is about to expire anyway.
            self._cache.pop(next(iter(self._cache)))
        self._cache[digest] = (principal, until)
        return principal


def _principal(key: StoredKey) -> Principal:
    return Principal(key.org_id, key.member_id, key.key_id, key.plan, acts_as_member=not key.is_owners)
