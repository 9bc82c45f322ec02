"""Whatever the way to Redis fails with, nobody waits for rate limits for ever."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn, cast

import pytest
from aichat_server.gateways.limits import LimitsAwayError, SharedLimits
from aichat_server.gateways.redis import RedisUnavailableError, redis_errors
from redis.asyncio import Redis


class Closed:
    """A client on an event loop that has just closed its connection."""

    def pipeline(self, **_: Any) -> NoReturn:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


async def test_who_waits_is_told() -> None:
    limits = SharedLimits(cast("Redis", Closed()))
    async with asyncio.timeout(20):
        for _ in range(2):
            with pytest.raises(LimitsAwayError):
                await limits.renew({"one": ["a"], "other": ["b"]})


def test_a_closed_handler_is_a_redis_that_is_away() -> None:
    with pytest.raises(RedisUnavailableError), redis_errors():
        raise RuntimeError("the handler is closed")
