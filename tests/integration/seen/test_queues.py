"""The depth of Dramatiq's queues, in a real Redis."""

from __future__ import annotations

import pytest
from aichat_server.domain.backlog import QueueDepth
from aichat_server.gateways.queues import queue_depths
from aichat_server.gateways.redis import RedisUnavailableError

from tests.fixtures.redis import RedisUnderTest


async def test_each_queue_has_its_depth(redis: RedisUnderTest) -> None:
    await redis.client.rpush("dramatiq:mail", "a", "b", "c")
    await redis.client.rpush("dramatiq:mail.DQ", "d", "e")
    await redis.client.zadd("dramatiq:mail.XQ", {"f": 1})
    depths = await queue_depths(redis.client, ["mail", "unused"])
    assert depths == {"mail": QueueDepth(3, 2, 1), "unused": QueueDepth(0, 0, 0)}
    await redis.kill()
    with pytest.raises(RedisUnavailableError):
        await queue_depths(redis.client, ["mail"])
