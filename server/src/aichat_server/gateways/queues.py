"""How full the queues of jobs are, as Dramatiq keeps them in Redis."""

from __future__ import annotations

from collections.abc import Iterable

from redis.asyncio import Redis

from aichat_server.domain.backlog import QueueDepth
from aichat_server.gateways.redis import redis_errors

_NAMESPACE = "dramatiq"


async def queue_depths(redis: Redis, queues: Iterable[str]) -> dict[str, QueueDepth]:
    """The depth of each queue, in one round trip; RedisUnavailableError. A queue that nobody has used yet is empty."""
    names = list(queues)
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(f"{_NAMESPACE}:{name}")
                pipeline.llen(f"{_NAMESPACE}:{name}.DQ")
                pipeline.zcard(f"{_NAMESPACE}:{name}.XQ")
            found: list[int] = await pipeline.execute()
    return {name: QueueDepth(*found[3 * place : 3 * place + 3]) for place, name in enumerate(names)}
