"""The list of keys is cached, refreshed when needed, and never requested more often than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import TypeVar

import httpx2
import jwt
import pytest
from aichat_sandbox.auth import SigningKey
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.gateway.jwks import SigningKeys
from structlog.testing import capture_logs

from tests.fixtures.auth import Auth
from tests.integration.conversations.asking import eventually

T = TypeVar("T")


class Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(auth: Auth, clock: Clock) -> SigningKeys:
    return SigningKeys(auth.client, auth.jwks_url, clock=clock)


def _value(value: T) -> Callable[[], Awaitable[T]]:
    async def look() -> T:
        return value

    return look


async def key_id(auth: Auth) -> str:
    return str(jwt.get_unverified_header(await auth.mint())["kid"])


async def test_the_list_is_fetched_once_and_kept(auth: Auth, keys: SigningKeys) -> None:
    name, before = await key_id(auth), await auth.fetches()
    found = await asyncio.gather(*(keys.find(name) for _ in range(50)))
    assert all(key is not None for key in found)
    assert await auth.fetches() == before + 1


async def test_a_rotated_key_works_at_once_and_the_old_one_no_more(auth: Auth, keys: SigningKeys, clock: Clock) -> None:
    old = await key_id(auth)
    assert await keys.find(old) is not None
    await auth.rotate("RS256")
    new = await key_id(auth)
    clock.seconds += 60
    before = await auth.fetches()
    found = await asyncio.gather(*(keys.find(new) for _ in range(20)))
    assert {key.algorithm for key in found if key is not None} == {"RS256"}
    assert None not in found
    assert await auth.fetches() == before + 1
    assert await keys.find(old) is None


async def test_made_up_keys_do_not_cause_repeated_requests(auth: Auth, keys: SigningKeys, clock: Clock) -> None:
    await keys.find(await key_id(auth))
    before = await auth.fetches()
    for number in range(20):
        assert await keys.find(f"made-up-{number}") is None
    assert await auth.fetches() == before
    clock.seconds += 60
    assert await asyncio.gather(*(keys.find(f"made-up-{number}") for number in range(20))) == [None] * 20
    assert await auth.fetches() == before + 1


async def test_a_key_that_is_no_longer_listed_ends_with_the_next_list(auth: Auth) -> None:
    keys = auth.keys()
    old = await key_id(auth)
    reading = asyncio.create_task(keys.keep_fresh(0.01))
    await eventually(partial(keys.find, old), lambda found: found is not None)
    await auth.rotate("ES256")
    await eventually(partial(keys.find, old), lambda found: found is None)
    reading.cancel()


async def test_keys_outlive_an_outage_of_auth(auth: Auth) -> None:
    keys = auth.keys()
    name = await key_id(auth)
    with capture_logs() as logs:
        reading = asyncio.create_task(keys.keep_fresh(0.01))
        await eventually(partial(keys.find, name), lambda found: found is not None)
        await auth.answer_with(503)
        await eventually(_value(logs), lambda seen: len(seen) > 1)
    assert {line["event"] for line in logs} == {"sign-in keys not read"}
    assert await keys.find(name) is not None
    await auth.answer_with(200)
    await auth.rotate("ES256")
    await eventually(partial(keys.find, name), lambda found: found is None)
    reading.cancel()


async def test_all_who_wait_share_one_try_and_nobody_waits_after_it_failed(clock: Clock) -> None:
    asked, reply = 0, asyncio.Event()

    async def answer(_: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        await reply.wait()
        return httpx2.Response(503)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        keys = SigningKeys(client, "http://auth.example/jwks.json", clock=clock)

        async def refused(number: int) -> None:
            with pytest.raises(AichatError) as caught:
                await keys.find(f"made-up-{number}")
            assert caught.value.reason is Reason.SIGN_IN_UNAVAILABLE

        waiting = [asyncio.create_task(refused(number)) for number in range(50)]
        one_who_leaves = asyncio.create_task(keys.find("made-up"))
        while not asked:
            await asyncio.sleep(0)
        one_who_leaves.cancel()
        reply.set()
        with capture_logs():
            await asyncio.gather(*waiting)
            await refused(51)
        assert asked == 1


async def test_an_endless_list_is_refused(clock: Clock) -> None:
    async def forever() -> AsyncGenerator[bytes, None]:
        while True:
            yield b" " * 65_536

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=forever())

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        keys = SigningKeys(client, "http://auth.example/jwks.json", clock=clock)
        with capture_logs() as logs, pytest.raises(AichatError):
            await keys.find("any")
    assert "bytes" in logs[0]["error"]


async def test_without_any_keys_the_caller_must_retry(auth: Auth, clock: Clock) -> None:
    with capture_logs():
        async with httpx2.AsyncClient() as client:
            # Port 1 of the loopback accepts no connections.
            away = SigningKeys(client, "http://127.0.0.1:1/jwks.json", clock=clock)
            with pytest.raises(AichatError) as caught:
                await away.find("any")
    assert caught.value.reason is Reason.SIGN_IN_UNAVAILABLE
    assert caught.value.retry_after


@pytest.mark.parametrize("status", [500, 404])
async def test_an_answer_that_is_not_a_list_is_refused(auth: Auth, keys: SigningKeys, status: int) -> None:
    await auth.answer_with(status)
    with capture_logs(), pytest.raises(AichatError):
        await keys.find("any")


@pytest.mark.parametrize("age", [0.3, 2.0, 5.0])
async def test_a_key_rotated_a_moment_ago_signs_nobody_out(auth: Auth, age: float) -> None:
    """After a made-up key, which has just caused the list to be read."""
    clock = Clock()
    keys = SigningKeys(auth.client, auth.jwks_url, clock=clock)
    await keys.find(await key_id(auth))
    clock.seconds += 60
    assert await keys.find("made-up") is None
    await auth.rotate("ES256")
    clock.seconds += age
    found = await asyncio.gather(*[keys.find(await key_id(auth)) for _ in range(3)])
    assert None not in found


async def test_while_the_list_cannot_be_read_an_unknown_key_is_not_refused(
    auth: Auth, keys: SigningKeys, clock: Clock
) -> None:
    known = await key_id(auth)
    await keys.find(known)
    await auth.rotate("ES256")
    await auth.answer_with(503)
    for seconds in (60, 0.1, 2):
        clock.seconds += seconds
        with capture_logs(), pytest.raises(AichatError) as caught:
            await keys.find(await key_id(auth))
        assert caught.value.reason is Reason.SIGN_IN_UNAVAILABLE
        assert await keys.find(known) is not None
    await auth.answer_with(200)
    clock.seconds += 2
    assert await keys.find(await key_id(auth)) is not None


async def test_a_malformed_key_does_not_affect_the_others() -> None:
    good = SigningKey.generate("ES256").public_jwk()
    bad = [
        {"kty": ["EC"], "kid": "a"},
        {**good, "kid": {}},
        {**good, "kid": "b", "x": 7},
        {"kty": "RSA", "kid": "c"},
        7,
    ]

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"keys": [*bad, good]})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        keys = SigningKeys(client, "http://auth.example/jwks.json")
        with capture_logs():
            assert await keys.find(str(good["kid"])) is not None
