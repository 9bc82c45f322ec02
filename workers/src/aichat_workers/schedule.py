"""Sends each job to the queue when it is due.

periodiq computes when that is, and drops messages that waited too long. Its own loop needs the process's main thread
and alarm signal, uses local time, and ends when Redis is unreachable; this one uses the database's time.
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
    """Sends every job once, to make up for missed runs, and after that the jobs that are due, each minute.

    A job that cannot be sent, because Redis is unreachable or this machine's clock is wrong, is sent as soon as
    possible.
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
    """Returns the jobs that were not sent: after a failure, the rest are not tried."""
    for place, job in enumerate(jobs):
        if clock.is_wrong or not await asyncio.to_thread(_send, job, _now(clock), observer):
            return list(jobs[place:])
    return []


def next_due(jobs: Iterable[_Actor], now: pendulum.DateTime) -> tuple[pendulum.DateTime, list[_Actor]]:
    """Returns when the next jobs are due, and which."""
    moments = {job: job.options[_OPTION].next_valid_date(now) for job in jobs}
    first = min(moments.values())
    return first, [job for job, moment in moments.items() if moment == first]


def _send(job: _Actor, now: pendulum.DateTime, observer: JobObserver) -> bool:
    try:
        with observer.queueing(job.actor_name) as trace:
            job.send_with_options(kwargs={"trace": dict(trace)}, scheduled_at=str(now))
    except Exception as error:  # noqa: BLE001 — the schedule continues, whatever Redis fails with
        _log.warning("job not queued", job=job.actor_name, cause=str(error) or repr(error))
        return False
    return True
