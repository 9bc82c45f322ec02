"""Promise 7: who has plenty of room does not wait for Redis to be let in, and is refused all the same if it says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.domain.limits import LimitName
from aichat_server.limits.gateway.shared_limits import open_shared_limits
from aichat_server.limits.service import RateLimits
from aichat_server.plans.domain import Plan, PlanRates, Rates

from tests.faults.link import Link, link_to
from tests.fixtures.redis import RedisUnderTest

MANY = Rates(requests_per_minute=100, tokens_per_minute=10_000, open_streams=100)


def rates(_plan: Plan) -> PlanRates:
    return PlanRates(MANY, MANY)


@pytest.fixture
def caller() -> Principal:
    return Principal(uuid4(), uuid4(), uuid4())


@pytest.fixture
async def linked(redis: RedisUnderTest) -> AsyncGenerator[tuple[RateLimits, Link], None]:
    """The limits of one process, and its way to Redis."""
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(link_to(redis.url))
        shared = await stack.enter_async_context(open_shared_limits(link.through(redis.url)))
        yield RateLimits(shared, rates), link


@pytest.fixture
async def other(redis: RedisUnderTest) -> AsyncGenerator[RateLimits, None]:
    """The limits of another process."""
    async with open_shared_limits(redis.url) as shared:
        yield RateLimits(shared, rates)


async def test_who_has_room_need_not_wait(linked: tuple[RateLimits, Link], caller: Principal) -> None:
    limits, link = linked
    first = await limits.admit_turn(caller, "first", 10)
    link.slow_down(0.2)
    second = await limits.admit_turn(caller, "second", 10)
    confirmed = asyncio.create_task(second.confirmed())
    await asyncio.sleep(0)
    assert not confirmed.done()
    await confirmed
    first.end(tokens=0)
    second.end(tokens=0)


async def test_who_is_admitted_sees_what_is_left(
    linked: tuple[RateLimits, Link], other: RateLimits, caller: Principal
) -> None:
    limits, _ = linked
    await other.admit_turn(caller, "other", 1_000)
    before = limits.watch(caller)
    first = await limits.admit_turn(caller, "first", 10)
    after = limits.watch(caller)
    assert [(one.name, one.most, one.left) for one in before()] == [
        (LimitName.REQUESTS, MANY.requests_per_minute, MANY.requests_per_minute - 2),
        (LimitName.TOKENS, MANY.tokens_per_minute, MANY.tokens_per_minute - 1_010),
    ]
    # It was not counted since then.
    assert [one.left for one in after()] == [None, None]
    first.end(tokens=0)


async def test_a_process_alone_does_not_say_what_is_left(caller: Principal) -> None:
    limits = RateLimits(None, rates)
    watched = limits.watch(caller)
    await limits.admit_turn(caller, "first", 10)
    assert [(one.most, one.left) for one in watched()] == [
        (MANY.requests_per_minute, None),
        (MANY.tokens_per_minute, None),
    ]


async def test_who_has_no_room_any_more_is_refused_and_waits_from_then_on(
    linked: tuple[RateLimits, Link], other: RateLimits, caller: Principal
) -> None:
    limits, _ = linked
    (await limits.admit_turn(caller, "first", 10)).end(tokens=0)
    for _ in range(MANY.requests_per_minute - 1):
        await other.admit_call(caller)
    late = await limits.admit_turn(caller, "late", 10)
    with pytest.raises(AichatError) as caught:
        await late.confirmed()
    assert caught.value.reason is Reason.RATE_LIMITED
    late.end(tokens=0)
    with pytest.raises(AichatError):
        await limits.admit_turn(caller, "later", 10)


async def test_what_ends_before_it_is_confirmed_gives_everything_back(
    linked: tuple[RateLimits, Link], other: RateLimits, caller: Principal
) -> None:
    limits, _ = linked
    (await limits.admit_turn(caller, "first", 10)).end(tokens=0)
    early = await limits.admit_turn(caller, "early", 5_000)
    early.end(tokens=0)
    await early.confirmed()
    await limits.admit_call(caller)
    await other.admit_turn(caller, "early", 10_000)
