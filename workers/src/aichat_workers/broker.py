"""The queue of jobs: Dramatiq on Redis. The queue may be lost, since every job derives its work from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from aichat_server.app.jobs import Jobs
from aichat_server.app.redis import queue_connection
from aichat_server.core.clock_skew import MOST_SKEW_SECONDS
from aichat_server.jobs.domain.jobs import QUEUE, QUEUE_NAMESPACE
from aichat_server.jobs.domain.observing import JobObserver, TraceContext
from dramatiq import actor
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries
from periodiq import PeriodiqMiddleware, cron
from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from aichat_workers.registry import JOBS, Job
from aichat_workers.runs import run_due

_ANSWER_SECONDS = 2.0
# A run that waited longer than this, by this machine's clock, is dropped: the next run does its work, too.
_LATE_SECONDS = 30 + MOST_SKEW_SECONDS


def open_broker(url: str) -> RedisBroker:
    """Returns the queue in the Redis at `url`; it reconnects when used, unless the Redis is a cluster now."""
    client = _client(RedisCluster if _is_cluster(url) else Redis, url)
    # A failed run is not retried, for the same reason; it stays among the dead letters for a week.
    middleware = [PeriodiqMiddleware(skip_delay=_LATE_SECONDS), Retries(max_retries=0)]
    return RedisBroker(client=client, namespace=QUEUE_NAMESPACE, middleware=middleware)  # type: ignore[no-untyped-call]


def _client(kind: type[Redis | RedisCluster], url: str) -> Any:
    # A kept connection may have closed in the meantime. A message that is sent twice runs its job twice.
    retry = Retry(NoBackoff(), 1)
    return kind.from_url(url, socket_timeout=_ANSWER_SECONDS, retry=retry, **queue_connection())


def _is_cluster(url: str) -> bool:
    try:
        with _client(Redis, url) as client:
            return bool(client.info("cluster").get("cluster_enabled"))
    except (RedisError, OSError):
        return False


def declare_actors(broker: RedisBroker, jobs: Jobs, observer: JobObserver, loop: asyncio.AbstractEventLoop) -> None:
    """Declares an actor for each job; the actor runs the job on `loop`."""
    for job in JOBS.values():
        declare = actor(broker=broker, actor_name=job.name, queue_name=QUEUE, periodic=cron(job.schedule))
        declare(_act(job, jobs, observer, loop))


def _act(job: Job, jobs: Jobs, observer: JobObserver, loop: asyncio.AbstractEventLoop) -> Callable[..., None]:
    async def go_on(trace: TraceContext) -> None:
        with observer.resuming(trace):
            await run_due(job, jobs)

    def act(trace: TraceContext = MappingProxyType({})) -> None:
        asyncio.run_coroutine_threadsafe(go_on(trace), loop).result()

    return act
