"""The depth of Dramatiq's queues, in a real Redis."""

from __future__ import annotations

import pytest
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.jobs.domain.jobs import QUEUE, QueueDepth
from aichat_server.jobs.gateway import queue_depth
from aichat_workers.broker import open_broker
from dramatiq import Message

from tests.fixtures.redis import RedisUnderTest


async def test_the_queue_has_its_depth(redis: RedisUnderTest) -> None:
    assert await queue_depth(redis.client) == QueueDepth(0, 0, 0)
    broker = open_broker(redis.url)
    broker.declare_queue(QUEUE)
    broker.enqueue(Message(QUEUE, "orphans", (), {}, {}))
    broker.enqueue(Message(QUEUE, "orphans", (), {}, {}))
    broker.enqueue(Message(QUEUE, "orphans", (), {}, {}), delay=60_000)
    broker.client.close()
    assert await queue_depth(redis.client) == QueueDepth(waiting=2, delayed=1, dead=0)
    await redis.kill()
    with pytest.raises(RedisUnavailableError):
        await queue_depth(redis.client)
