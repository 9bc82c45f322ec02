"""How full the queue of jobs is, as Dramatiq keeps it in Redis."""

from __future__ import annotations

from aichat_server.domain.jobs import QUEUE, QUEUE_NAMESPACE, QueueDepth
from aichat_server.gateways.redis import AnyRedis, redis_errors

_KEY = f"{QUEUE_NAMESPACE}:{QUEUE}"


async def queue_depth(redis: AnyRedis) -> QueueDepth:
    """In one round trip; RedisUnavailableError. A queue that nobody has used yet is empty."""
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.llen(_KEY)
            pipeline.llen(f"{_KEY}.DQ")
            pipeline.zcard(f"{_KEY}.XQ")
            return QueueDepth(*await pipeline.execute())
