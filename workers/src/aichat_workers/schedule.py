"""Sends each job to the queue when it is due.

periodiq says when that is, and drops what has waited for too long. Its own loop takes the process's main thread and its
alarm signal, goes by local time, and ends when Redis is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NoReturn

import pendulum
import structlog
from aichat_server.domain.observing import Observer
from dramatiq import Actor
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

_log = structlog.get_logger()

_OPTION = "periodic"


async def keep_schedule(broker: RedisBroker, observer: Observer) -> NoReturn:
    """Sends every job once, to make up for what was missed while nobody worked, and then what is due, each minute."""
    for job in broker.actors.values():
        await asyncio.to_thread(_send, job, str(pendulum.now("UTC")), observer)
    while True:
        moment, due = next_due(broker.actors.values(), pendulum.now("UTC"))
        await asyncio.sleep((moment - pendulum.now("UTC")).total_seconds())
        for job in due:
            await asyncio.to_thread(_send, job, str(moment), observer)


def next_due(
    jobs: Iterable[Actor[..., None]], now: pendulum.DateTime
) -> tuple[pendulum.DateTime, list[Actor[..., None]]]:
    """When the next of the jobs is due, and which are then."""
    moments = {job: job.options[_OPTION].next_valid_date(now) for job in jobs}
    first = min(moments.values())
    return first, [job for job, moment in moments.items() if moment == first]


def _send(job: Actor[..., None], moment: str, observer: Observer) -> None:
    try:
        with observer.queueing(job.actor_name) as trace:
            job.send_with_options(kwargs={"trace": dict(trace)}, scheduled_at=moment)
    except RedisError as error:
        # It will do the work when it is due again.
        _log.warning("job not queued", job=job.actor_name, cause=repr(error))
