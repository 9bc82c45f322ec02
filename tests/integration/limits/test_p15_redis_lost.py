"""Promise 15: Redis disappears and returns: no call fails or waits for it twice, and limits always apply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aichat_server.app.background import running
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits import service as limits_service
from aichat_server.limits.gateway.shared_limits import open_shared_limits
from aichat_server.limits.service import Admission, RateLimits
from aichat_server.telemetry.observing import Observer
from structlog.testing import capture_logs

from tests.faults.link import Link, Way, link_to
from tests.fixtures.rates import FREE_RATES, rates_of
from tests.fixtures.redis import RedisUnderTest

FREE = FREE_RATES.caller


@pytest.fixture
def caller() -> Principal:
    return Principal(uuid4(), uuid4(), uuid4())


@asynccontextmanager
async def process(redis: RedisUnderTest, url: str | None = None) -> AsyncGenerator[RateLimits, None]:
    """The limits as one server process keeps them. `url`: the URL of Redis, if a link leads to it."""
    async with open_shared_limits(url or redis.url) as shared:
        limits = RateLimits(shared, rates_of)
        async with running(Observer(), limits=limits.keep):
            yield limits


async def let_in(limits: RateLimits, caller: Principal, calls: int) -> int:
    """Makes `calls` concurrent calls.

    Returns how many are admitted, after checking that the rest are refused correctly.
    """
    answers = await asyncio.gather(*(limits.admit_call(caller) for _ in range(calls)), return_exceptions=True)
    refusals = [answer for answer in answers if answer is not None]
    assert all(isinstance(error, AichatError) and error.reason is Reason.RATE_LIMITED for error in refusals)
    return calls - len(refusals)


async def test_processes_share_a_limit(redis: RedisUnderTest, caller: Principal) -> None:
    async with process(redis) as one, process(redis) as other:
        counts = await asyncio.gather(let_in(one, caller, 100), let_in(other, caller, 100))
    assert sum(counts) == FREE.requests_per_minute


async def test_without_redis_each_process_limits_by_itself(caller: Principal) -> None:
    one, other = RateLimits(None, rates_of), RateLimits(None, rates_of)
    assert await let_in(one, caller, 100) == await let_in(other, caller, 100) == FREE.requests_per_minute


async def test_a_local_limit_applies_without_redis_and_a_shared_one_when_it_is_back(
    redis: RedisUnderTest, caller: Principal
) -> None:
    with capture_logs() as logs:
        async with process(redis) as one, process(redis) as other:
            assert await let_in(one, caller, 1) == await let_in(other, caller, 1) == 1
            await redis.kill()
            assert await let_in(one, caller, 100) == FREE.requests_per_minute
            assert await let_in(one, caller, 100) == 0
            assert await let_in(other, caller, 100) == FREE.requests_per_minute
            assert [entry["event"] for entry in logs] == ["rate limits are counted by each process alone"] * 2
            await redis.start()
            await until_logged(logs, "rate limits are shared again", 2)
            counts = await asyncio.gather(let_in(one, caller, 100), let_in(other, caller, 100))
            assert sum(counts) == FREE.requests_per_minute
    assert len(logs) == 4


async def test_a_redis_that_does_not_answer_costs_one_short_wait(redis: RedisUnderTest, caller: Principal) -> None:
    async with process(redis) as limits:
        await limits.admit_call(caller)
        redis.hold()
        began = time.monotonic()
        assert await let_in(limits, caller, 10) == 10
        waited = time.monotonic()
        assert await let_in(limits, caller, 20) == 20
        assert time.monotonic() - waited < 0.5 < waited - began < 3
        redis.let_go()


WAYS: dict[str, Callable[[Link], None]] = {
    "silent": lambda link: link.silence(),
    "silent one way": lambda link: link.silence(Way.DOWN),
    "slow": lambda link: link.slow_down(3.0),
    "somewhat slow": lambda link: link.slow_down(0.4),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_redis_that_is_silent_or_slow_holds_up_no_call_for_long(
    redis: RedisUnderTest, caller: Principal, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # So that it tries to reconnect often.
    monkeypatch.setattr(limits_service, "_BEAT_SECONDS", 0.2)
    async with link_to(redis.url) as link, process(redis, link.through(redis.url)) as limits:
        await limits.admit_call(caller)
        with capture_logs() as logs:
            WAYS[way](link)
            await let_in(limits, caller, 10)
            await until_logged(logs, "rate limits are counted by each process alone", 1)
            began, calls = time.monotonic(), 0
            while time.monotonic() - began < 3:
                await let_in(limits, caller, 1)
                await asyncio.sleep(0.01)
                calls += 1
            # Each call that waited would have taken about a second.
            assert calls > 20
            link.heal()
            await until_logged(logs, "rate limits are shared again", 1)
            assert len(logs) == 2


async def test_a_server_may_start_before_redis(redis: RedisUnderTest, caller: Principal) -> None:
    await redis.kill()
    with capture_logs() as logs:
        async with process(redis) as limits:
            assert await let_in(limits, caller, 100) == FREE.requests_per_minute
            await redis.start()
            await until_logged(logs, "rate limits are shared again", 1)


async def test_streams_stay_counted_for_as_long_as_they_run(redis: RedisUnderTest, caller: Principal) -> None:
    async with process(redis) as one, process(redis) as other:
        with capture_logs() as logs:
            admissions = [await one.admit_turn(caller, str(number), 1) for number in range(FREE.open_streams)]
            # The process with the streams restores what Redis forgets.
            await redis.kill()
            await until_logged(logs, "rate limits are counted by each process alone", 1)
            await redis.start()
            await until_logged(logs, "rate limits are shared again", 1)
        error = await refused(other, caller)
        assert (error.metadata["name"], error.metadata["scope"]) == ("open_streams", "api_key")
        assert (error.metadata["used"], error.metadata["remaining"]) == (str(FREE.open_streams), "0")
        assert error.retry_after == 1.0
        admissions[0].end(tokens=0)
        admissions[0].end(tokens=0)
        await one.admit_call(caller)
        await other.admit_turn(caller, "another", 1)
        await refused(other, caller)


async def test_unused_tokens_are_released(redis: RedisUnderTest, caller: Principal) -> None:
    async with process(redis) as limits:
        first = await limits.admit_turn(caller, "first", FREE.tokens_per_minute - 10)
        error = await refused(limits, caller, tokens=11)
        assert (error.metadata["name"], error.metadata["remaining"]) == ("tokens_per_minute", "10")
        first.end(tokens=100)
        second = await limits.admit_turn(caller, "second", FREE.tokens_per_minute - 100)
        assert isinstance(second, Admission)
        await refused(limits, caller, tokens=1)


async def refused(limits: RateLimits, caller: Principal, tokens: int = 0) -> AichatError:
    """Returns the refusal of a turn."""
    with pytest.raises(AichatError) as caught:
        await limits.admit_turn(caller, "refused", tokens)
    assert caught.value.reason is Reason.RATE_LIMITED
    return caught.value


async def until_logged(logs: Sequence[Mapping[str, object]], event: str, times: int) -> None:
    """Waits for lines of the log."""
    async with asyncio.timeout(20):
        while sum(entry["event"] == event for entry in logs) < times:
            await asyncio.sleep(0.02)
