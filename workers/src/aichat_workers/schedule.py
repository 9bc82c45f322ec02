"""Sends each job to the queue when it is due.

periodiq says when that is, and drops what has waited for too long. Its own loop takes the process's main thread and its
alarm signal, goes by local time, and ends when Redis is away.
"""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pendulum
import structlog
from dramatiq import Actor
from dramatiq.brokers.redis import RedisBroker
from redis.exceptions import RedisError

_log = structlog.get_logger()

_OPTION = "periodic"


async def keep_schedule(broker: RedisBroker) -> NoReturn:
    """Sends what is due, minute by minute."""
    actors = list(broker.actors.values())
    while True:
        due = min(each.options[_OPTION].next_valid_date(pendulum.now("UTC")) for each in actors)
        await asyncio.sleep((due - pendulum.now("UTC")).total_seconds())
        for each in actors:
            if each.options[_OPTION].validate(due):
                await asyncio.to_thread(_send, each, str(due))


def _send(job: Actor[[], None], due: str) -> None:
    try:
        job.send_with_options(scheduled_at=due)
    except RedisError as error:
        # It will do the work when it is due again.
        _log.warning("job not queued", job=job.actor_name, cause=repr(error))
