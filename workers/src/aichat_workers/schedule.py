"""Sends each job to the queue when it is due.

periodiq says when that is, and drops what has waited for too long. Its own loop takes the process's main thread and its
alarm signal, goes by local time, and ends when Redis is away; this one goes by the database's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NoReturn, TypeAlias

import pendulum
import structlog
from aichat_server.core.clock import Clock
from aichat_server.jobs.domain.observing import JobObserver
from dramatiq import Actor
from dramatiq.brokers.redis import RedisBroker

_log = structlog.get_logger()

_Actor: TypeAlias = "Actor[..., None]"

_OPTION = "periodic"
_AGAIN_SECONDS = 2.0


async def keep_schedule(broker: RedisBroker, clock: Clock, observer: JobObserver) -> NoReturn:
    """Sends every job once, to make up for what was missed while nobody worked, and then what is due, each minute.

    What cannot be sent, since Redis is away or this machine's clock is wrong, is sent as soon as it can be.
    """
    owed = list(broker.actors.values())
    while True:
        moment, due = next_due(broker.actors.values(), _now(clock))
        owed = await _send_all(owed, clock, observer)
        while owed and _now(clock).add(seconds=_AGAIN_SECONDS) < moment:
            await asyncio.sleep(_AGAIN_SECONDS)
            owed = await _send_all(owed, clock, observer)
        await asyncio.sleep((moment - _now(clock)).total_seconds())
        owed += [job for job in due if job not in owed]


def _now(clock: Clock) -> pendulum.DateTime:
    return pendulum.instance(clock.now())


async def _send_all(jobs: Sequence[_Actor], clock: Clock, observer: JobObserver) -> list[_Actor]:
    """Those that could not be sent: where one cannot be, the others behind it are not tried."""
    for place, job in enumerate(jobs):
        if clock.is_wrong or not await asyncio.to_thread(_send, job, _now(clock), observer):
            return list(jobs[place:])
    return []


def next_due(jobs: Iterable[_Actor], now: pendulum.DateTime) -> tuple[pendulum.DateTime, list[_Actor]]:
    """When the next of the jobs is due, and which are then."""
    moments = {job: job.options[_OPTION].next_valid_date(now) for job in jobs}
    first = min(moments.values())
    return first, [job for job, moment in moments.items() if moment == first]


def _send(job: _Actor, now: pendulum.DateTime, observer: JobObserver) -> bool:
    try:
        with observer.queueing(job.actor_name) as trace:
            job.send_with_options(kwargs={"trace": dict(trace)}, scheduled_at=str(now))
    except Exception as error:  # noqa: BLE001 — whatever the way to Redis fails with, the schedule goes on
        _log.warning("job not queued", job=job.actor_name, cause=str(error) or repr(error))
        return False
    return True
