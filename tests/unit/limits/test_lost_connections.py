"""Whatever the connection to Redis fails with, nobody waits forever for rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, NoReturn, Self, cast

import pytest
from aichat_server.limits.gateway.shared_limits import LimitsAwayError, SharedLimits
from redis.asyncio import Redis

STREAMS = {"one": ["a"], "other": ["b"]}


class Broken:
    """A client that fails with a given error."""

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    def pipeline(self, **_: Any) -> NoReturn:
        raise self.fault


@pytest.fixture
async def limits() -> AsyncGenerator[Callable[[BaseException], SharedLimits], None]:
    """Limits in a Redis whose client fails."""
    made: list[SharedLimits] = []

    def make(fault: BaseException) -> SharedLimits:
        made.append(SharedLimits(cast("Redis", Broken(fault))))
        return made[-1]

    async with asyncio.timeout(20):
        yield make
        for one in made:
            await one.sent()


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
        AttributeError("'NoneType' object has no attribute 'writelines'"),
        asyncio.IncompleteReadError(b"", 2),
        asyncio.CancelledError(),
        IndexError(),
    ],
    ids=repr,
)
async def test_waiting_calls_fail(limits: Callable[[BaseException], SharedLimits], fault: BaseException) -> None:
    away = limits(fault)
    for _ in range(2):
        with pytest.raises(LimitsAwayError):
            await away.renew(STREAMS)


class Silent:
    """A client that never answers."""

    async def execute(self, **_: Any) -> NoReturn:
        await asyncio.Future[None]()
        raise AssertionError

    def pipeline(self, **_: Any) -> Silent:
        return self

    def execute_command(self, *_: Any) -> None:
        """Accepts a command."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Exits."""


@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "under way"])
async def test_waiting_calls_fail_though_the_sender_is_cancelled(*, begun: bool) -> None:
    limits = SharedLimits(cast("Redis", Silent()))
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(limits.renew(STREAMS))
    while not (senders := asyncio.all_tasks() - before - {waiting}):
        await asyncio.sleep(0)
    if begun:
        await asyncio.sleep(0)
    for sender in senders:
        sender.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(LimitsAwayError):
            await waiting
        # The next call is sent, and does not wait behind a cancelled one.
        with pytest.raises(LimitsAwayError):
            await limits.renew(STREAMS)
        await limits.sent()
