"""Promise 7: the limits in Redis are exact under concurrency, by the same rules as those of a single process."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest
from aichat_server.limits.domain.limits import Claim, Exceeded, Granted, LimitName
from aichat_server.limits.domain.local_limits import LocalLimits
from aichat_server.limits.gateway.shared_limits import LimitsAwayError, SharedLimits, open_shared_limits
from redis.asyncio import Redis

from tests.fixtures.redis import RedisUnderTest
from tests.unit.limits.claims import claim

PREFIX = "aichat:limits:"


@pytest.fixture
async def limits(redis: RedisUnderTest) -> AsyncGenerator[SharedLimits, None]:
    async with open_shared_limits(redis.url) as opened:
        yield opened


@pytest.fixture
async def client(redis: RedisUnderTest) -> AsyncGenerator[Redis, None]:
    async with Redis.from_url(redis.url, decode_responses=True) as opened:
        yield opened


async def stored(client: Redis) -> dict[str, object]:
    """Returns all contents of Redis."""
    found: dict[str, object] = {}
    for key in map(str, await client.keys("*")):
        kind = await client.type(key)
        found[key] = await (client.hgetall(key) if kind == "hash" else client.zrange(key, 0, -1, withscores=True))
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_redis_and_a_process_alone_count_alike(limits: SharedLimits, seed: int) -> None:
    chance, local = random.Random(seed), LocalLimits()
    running: list[tuple[Claim, int, int]] = []
    for number in range(200):
        wanted = claim(
            requests=60,
            tokens=500,
            streams=4,
            stream=str(chance.choice((number, number - 1, number - 2))),
            amount=chance.randrange(60),
            key=UUID(int=chance.choice((2, 3))),
        )
        there = await limits.take(wanted)
        here = local.take(wanted, time.time())
        if isinstance(there, Exceeded):
            assert isinstance(here, Exceeded)
            assert (there.limit.name, there.limit.scope, there.used) == (
                here.limit.name,
                here.limit.scope,
                here.used,
            )
            assert (there.wait is None) == (here.wait is None)
        else:
            assert isinstance(here, Granted)
            assert (there.joined, there.used) == (here.joined, here.used)
            if not there.joined:
                running.append((wanted, there.second, here.second))
        if len(running) > 3 or (running and chance.random() < 0.5):
            ended, second_there, second_here = running.pop(0)
            tokens = chance.randrange(60)
            limits.end(ended, second_there, tokens)
            local.end(ended, second_here, tokens)


async def test_a_hundred_at_once_against_a_limit_of_ten_are_exactly_ten(redis: RedisUnderTest) -> None:
    by_requests, by_tokens = claim(amount=0, streams=1000), claim(amount=10, requests=1000, streams=1000)
    # Each time both load their script, and either may run between the other's calls.
    for wanted in (by_requests, by_tokens) * 5:
        async with open_shared_limits(redis.url) as one, open_shared_limits(redis.url) as other:
            takes = [(one, other)[number % 2].take(renamed(wanted, str(number))) for number in range(100)]
            answers = await asyncio.gather(*takes)
        assert sum(isinstance(answer, Granted) for answer in answers) == 10
        await flush(redis)


async def test_a_hundred_streams_at_once_against_a_limit_of_ten_are_exactly_ten(limits: SharedLimits) -> None:
    wanted = claim(requests=1000, streams=10, amount=0)
    answers = await asyncio.gather(*(limits.take(renamed(wanted, str(number))) for number in range(100)))
    assert sum(isinstance(answer, Granted) for answer in answers) == 10


@pytest.mark.parametrize("full", LimitName)
async def test_what_is_refused_takes_nothing(limits: SharedLimits, client: Redis, full: LimitName) -> None:
    wanted = claim(
        requests=1 if full is LimitName.REQUESTS else 100,
        tokens=1 if full is LimitName.TOKENS else 100,
        streams=1 if full is LimitName.STREAMS else 100,
        amount=1,
    )
    assert isinstance(await limits.take(wanted), Granted)
    before = await stored(client)
    for number in range(5):
        refused = await limits.take(renamed(wanted, str(number)))
        assert isinstance(refused, Exceeded)
        assert (refused.limit.name, refused.used) == (full, 1)
        assert refused.wait is None if full is LimitName.STREAMS else 59 < (refused.wait or 0) <= 61
    assert await stored(client) == before


async def test_the_window_moves(limits: SharedLimits, client: Redis) -> None:
    wanted = claim(requests=1, amount=0)
    granted = await limits.take(wanted)
    assert isinstance(granted, Granted)
    assert isinstance(await limits.take(wanted), Exceeded)
    for key in (PREFIX + limit.key for limit in wanted.requests):
        await client.hdel(key, str(granted.second))
        await client.hset(key, str(granted.second - 61), "1")
    assert isinstance(await limits.take(wanted), Granted)
    lifetimes = [await client.ttl(key) for key in await client.keys("*")]
    assert all(0 < seconds <= 62 for seconds in lifetimes)


async def test_a_stream_that_is_not_renewed_releases_its_slot(limits: SharedLimits, client: Redis) -> None:
    first, second = claim(streams=1, amount=0), claim(streams=1, amount=0, stream="b")
    assert isinstance(await limits.take(first), Granted)
    assert isinstance(await limits.take(second), Exceeded)
    for limit in first.streams:
        assert 0 < await client.ttl(PREFIX + limit.key) <= 20
        await client.zadd(PREFIX + limit.key, {"a": time.time() - 1})
    assert isinstance(await limits.take(second), Granted)


async def test_counts_of_a_clock_that_was_ahead_expire(limits: SharedLimits, client: Redis) -> None:
    """As after a failover to a Redis with a correct clock."""
    wanted, ahead = claim(requests=1, streams=1, amount=0), int(time.time()) + 3600
    for limit in wanted.requests:
        await client.hset(PREFIX + limit.key, str(ahead), "9")
    for limit in wanted.streams:
        await client.zadd(PREFIX + limit.key, {"another": ahead})
    assert isinstance(await limits.take(wanted), Granted)
    assert isinstance(await limits.take(renamed(wanted, "b")), Exceeded)


async def test_streams_that_redis_has_lost_are_restored(limits: SharedLimits, redis: RedisUnderTest) -> None:
    first, second = claim(streams=1, amount=0), claim(streams=1, amount=0, stream="b")
    await limits.take(first)
    await flush(redis)
    await limits.renew({limit.key: {"a"} for limit in first.streams})
    assert isinstance(await limits.take(second), Exceeded)
    joined = await limits.take(first)
    assert isinstance(joined, Granted)
    assert joined.joined


async def test_calls_that_redis_does_not_answer_fail_within_one_short_wait(
    limits: SharedLimits, redis: RedisUnderTest
) -> None:
    wanted = claim(requests=1000, streams=1000, amount=0)
    await limits.take(wanted)
    redis.hold()
    began = time.monotonic()
    takes = (limits.take(renamed(wanted, str(number))) for number in range(50))
    answers = await asyncio.gather(*takes, return_exceptions=True)
    assert all(isinstance(answer, LimitsAwayError) for answer in answers)
    assert time.monotonic() - began < 2
    redis.let_go()
    assert isinstance(await limits.take(renamed(wanted, "x")), Granted)


def renamed(wanted: Claim, stream: str) -> Claim:
    return Claim(wanted.requests, wanted.tokens, wanted.streams, stream)


async def flush(redis: RedisUnderTest) -> None:
    """Empties Redis, scripts included."""
    async with Redis.from_url(redis.url) as client:
        await client.flushall()
        await client.script_flush()
