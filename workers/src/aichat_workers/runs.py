"""Runs jobs: for what is due, for a period, or as a preview."""

from __future__ import annotations

import asyncio
import time

import structlog
from aichat_server.app.jobs import Jobs
from aichat_server.core.clock_skew import ClockWrongError
from aichat_server.core.database.batches import Progress
from aichat_server.core.periods import Period
from aichat_server.jobs.service.runs import ALWAYS, JobBusyError

from aichat_workers.registry import Job

_log = structlog.get_logger()


async def run_due(job: Job, jobs: Jobs) -> None:
    """Runs the job for the current period and for missed ones, the oldest first.

    A failed period does not stop the others. Raises the last failure.
    """
    try:
        current = job.current(await jobs.clock.agreed())
    except ClockWrongError as error:
        _log.error("job refused", job=job.name, reason=str(error))
        return
    failure: Exception | None = None
    for period in [None] if current is None else await jobs.runs.due(job.name, current):
        try:
            await run(job, jobs, period)
        except JobBusyError as error:
            _log.info("job runs elsewhere", job=job.name, reason=str(error))
        except Exception as error:  # noqa: BLE001 — it is raised in the end
            _log.warning("job failed", job=job.name, period=period.name if period else None, error=repr(error))
            failure = error
    if failure is not None:
        raise failure


async def run(job: Job, jobs: Jobs, period: Period | None) -> object:
    """Runs the job now and returns its outcome.

    Raises TimeoutError if it takes too long, JobBusyError if another process runs it, ClockWrongError if this machine's
    clock is wrong.
    """
    now, began = await jobs.clock.agreed(), time.monotonic()

    async def work(progress: Progress) -> object:
        async with asyncio.timeout(job.most_seconds):
            return await job.run(jobs, job.moment(period, now), progress)

    name = period.name if period else ALWAYS
    outcome = await jobs.runs.run(job.name, name, work)
    seconds = time.monotonic() - began
    _log.info("job done", job=job.name, period=name, outcome=str(outcome), seconds=round(seconds, 6))
    return outcome


async def preview(job: Job, jobs: Jobs, period: Period | None) -> object:
    """Returns what a run would do; raises ClockWrongError if this machine's clock is wrong."""
    return await job.preview(jobs, job.moment(period, await jobs.clock.agreed()))
