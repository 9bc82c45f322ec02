"""Reads the length of the queue of jobs, which Dramatiq keeps in Redis."""

from __future__ import annotations

from aichat_server.core.redis.client import AnyRedis, ask_all, unavailable
from aichat_server.jobs.domain.jobs import QUEUE, QUEUE_NAMESPACE, QueueDepth

_KEY = f"{QUEUE_NAMESPACE}:{QUEUE}"


async def queue_depth(redis: AnyRedis) -> QueueDepth:
    """Returns the depth in one round trip; an unused queue is empty. Raises RedisUnavailableError."""
    sizes = await ask_all(redis, [("LLEN", _KEY), ("LLEN", f"{_KEY}.DQ"), ("ZCARD", f"{_KEY}.XQ")])
    for size in sizes:
        if isinstance(size, Exception):
            raise unavailable(size) from size
    return QueueDepth(*sizes)
