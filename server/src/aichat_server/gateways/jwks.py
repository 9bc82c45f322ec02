"""The public keys that Supabase Auth signs session tokens with, as its JWKS endpoint lists them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx2
import jwt
import structlog

from aichat_server.domain.errors import AichatError, Reason

_log = structlog.get_logger()

_FRESH_SECONDS = 600.0
# Anyone can send tokens with made-up key ids; the endpoint is asked no more often than this.
_BETWEEN_FETCHES_SECONDS = 1.0
# While it does not answer, those who bring keys that are known need not wait for it so often.
_BETWEEN_RENEWALS_SECONDS = 5.0
# A list as young as that has every key that a token which is here by now can be signed with.
_CURRENT_SECONDS = 0.2
_FETCH_TIMEOUT_SECONDS = 3.0

# What each type of key may sign with; a key's own `alg` can only confirm it.
_ALGORITHMS: Mapping[tuple[object, object], str] = MappingProxyType({("EC", "P-256"): "ES256", ("RSA", None): "RS256"})


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the one algorithm that it may be used with."""

    key: jwt.PyJWK
    algorithm: str


class SigningKeys:
    """The keys by id, cached. Keys that Auth has stopped listing go within ten minutes, new ones come when needed: a
    token with a key that is not known is no good only if a list that was read after it came does not have it either.
    """

    def __init__(self, client: httpx2.AsyncClient, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is the JWKS endpoint's; `clock` tells seconds. The client stays the caller's to close."""
        self._client = client
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, VerifyingKey] = {}
        self._fetched_at = -_FRESH_SECONDS
        self._asked_at = -_FRESH_SECONDS
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> VerifyingKey | None:
        """The key, or None if Auth lists no such key; STORAGE_UNAVAILABLE if that cannot be told."""
        known = self._keys.get(key_id)
        if known is not None:
            await self._renew()
            return self._keys.get(key_id)
        async with self._fetching:
            # Whoever held the lock before may have just fetched what is wanted here.
            if key_id not in self._keys and self._age() >= _CURRENT_SECONDS:
                await asyncio.sleep(_BETWEEN_FETCHES_SECONDS - self._age())
                await self._fetch()
        found = self._keys.get(key_id)
        if found is None and self._asked_at > self._fetched_at:
            raise AichatError(Reason.STORAGE_UNAVAILABLE, "sign-in keys cannot be read; try again", retry_after=5.0)
        return found

    async def _renew(self) -> None:
        """Reads a list that is old again, unless another call does so already."""
        if self._clock() - self._fetched_at < _FRESH_SECONDS or self._fetching.locked():
            return
        async with self._fetching:
            if self._age() >= _BETWEEN_RENEWALS_SECONDS:
                await self._fetch()

    def _age(self) -> float:
        """Seconds since Auth was asked."""
        return self._clock() - self._asked_at

    async def _fetch(self) -> None:
        """Replaces the keys; those that are there stay if Auth gives no answer that makes sense."""
        self._asked_at = self._clock()
        try:
            response = await self._client.get(self._url, timeout=_FETCH_TIMEOUT_SECONDS)
            response.raise_for_status()
            self._keys = _parse(response.json())
        except (httpx2.HTTPError, ValueError, TypeError, RecursionError) as error:
            _log.warning("sign-in keys not read", url=self._url, error=repr(error))
            return
        self._fetched_at = self._asked_at


def _parse(document: Any) -> Mapping[str, VerifyingKey]:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise TypeError("the document holds no list of keys")
    parsed = [(entry.get("kid"), _verifying_key(entry)) for entry in entries if isinstance(entry, dict)]
    return {key_id: key for key_id, key in parsed if isinstance(key_id, str) and key is not None}


def _verifying_key(entry: Mapping[str, Any]) -> VerifyingKey | None:
    """None for keys that sign nothing here, shared secrets among them."""
    try:
        algorithm = _ALGORITHMS.get((entry.get("kty"), entry.get("crv")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
            return None
        return VerifyingKey(jwt.PyJWK(dict(entry), algorithm), algorithm)
    except Exception as error:  # noqa: BLE001 — one that is made up wrongly takes the others' users no access
        _log.warning("sign-in key not read", kid=entry.get("kid"), error=type(error).__name__)
        return None
