"""The public keys of Supabase Auth's session tokens, from its JWKS endpoint."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import httpx2
import jwt
import structlog

from aichat_server.core.errors import AichatError, Reason

_log = structlog.get_logger()

FRESH_SECONDS = 300.0
"""How often the list is read."""
# Anyone can send tokens with made-up key ids; the endpoint is called no more often than this.
_BETWEEN_FETCHES_SECONDS = 1.0
# A list this recent has the key of every token that has already arrived.
_CURRENT_SECONDS = 0.2
# For the whole response, however it arrives.
_FETCH_SECONDS = 3.0
_MOST_BYTES = 262_144
# A read that is in progress when a token arrives may be too old for it, so that another one must follow.
_WAIT_SECONDS = 4.0
# For this long after a failure nobody waits for another try.
_FAILED_SECONDS = 2.0
_RETRY_SECONDS = 5.0

# The algorithm of each type of key; a key's own `alg` can only confirm it.
_ALGORITHMS: Mapping[tuple[object, object], str] = MappingProxyType({("EC", "P-256"): "ES256", ("RSA", None): "RS256"})


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the one algorithm to use it with."""

    key: jwt.PyJWK
    algorithm: str


class SigningKeys:
    """The keys by id, as last read.

    A token with an unknown key is invalid only if a list that was read after its arrival does not have the key either.
    A caller with a known key never waits.
    """

    def __init__(self, client: httpx2.AsyncClient, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is the JWKS endpoint's; `clock` returns seconds. The caller closes the client."""
        self._client = client
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, VerifyingKey] = {}
        self._asked_at = self._fetched_at = self._failed_at = -FRESH_SECONDS
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> VerifyingKey | None:
        """Returns the key, or None if Auth does not list it; raises SIGN_IN_UNAVAILABLE if that is unknown."""
        came = self._clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_SECONDS):
                while True:
                    found = self._keys.get(key_id)
                    if found is not None or self._fetched_at >= came - _CURRENT_SECONDS:
                        return found
                    if self._clock() - self._failed_at < _FAILED_SECONDS:
                        break
                    await self._fetch()
        message = "the sign-in service does not answer, so that the session token cannot be checked; try again"
        raise AichatError(Reason.SIGN_IN_UNAVAILABLE, message, retry_after=_FAILED_SECONDS)

    async def keep_fresh(self, seconds: float) -> NoReturn:
        """Reads the list every `seconds`, sooner after a failure. Keys that Auth no longer lists are removed."""
        while True:
            await self._fetch()
            has_failed = self._failed_at >= self._asked_at
            await asyncio.sleep(min(seconds, _RETRY_SECONDS) if has_failed else seconds)

    async def aclose(self) -> None:
        """Ends a read in progress."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self) -> None:
        """Replaces the keys, or keeps them if Auth gives no valid response.

        All who wait for it share one read, which continues when some of them leave.
        """
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_once())
        await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> None:
        await asyncio.sleep(_BETWEEN_FETCHES_SECONDS - (self._clock() - self._asked_at))
        self._asked_at = self._clock()
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                self._keys = _parse(json.loads(await self._read()))
        except Exception as error:  # noqa: BLE001 — whatever the client raises, or the list makes of itself
            self._failed_at = self._clock()
            _log.warning("sign-in keys not read", url=self._url, error=repr(error))
        else:
            self._fetched_at = self._asked_at

    async def _read(self) -> bytes:
        body = bytearray()
        async with self._client.stream("GET", self._url, headers={"accept-encoding": "identity"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError(f"the list has more than {_MOST_BYTES} bytes")
        return bytes(body)


@asynccontextmanager
async def open_signing_keys(url: str) -> AsyncGenerator[SigningKeys, None]:
    """Opens the keys of the JWKS endpoint at `url`."""
    # A kept connection could have gone silent by the next read.
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0)) as client:
        keys = SigningKeys(client, url)
        try:
            yield keys
        finally:
            await keys.aclose()


def _parse(document: Any) -> Mapping[str, VerifyingKey]:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise TypeError("the document holds no list of keys")
    parsed = [(entry.get("kid"), _verifying_key(entry)) for entry in entries if isinstance(entry, dict)]
    return {key_id: key for key_id, key in parsed if isinstance(key_id, str) and key is not None}


def _verifying_key(entry: Mapping[str, Any]) -> VerifyingKey | None:
    """Returns a verifying key; None for keys that sign nothing here, such as shared secrets."""
    try:
        algorithm = _ALGORITHMS.get((entry.get("kty"), entry.get("crv")))
        if algorithm is None or entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
            return None
        return VerifyingKey(jwt.PyJWK(dict(entry), algorithm), algorithm)
    except Exception as error:  # noqa: BLE001 — one that is made up wrongly takes the others' users no access
        _log.warning("sign-in key not read", kid=entry.get("kid"), error=type(error).__name__)
        return None
