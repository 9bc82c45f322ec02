"""Runs of jobs: for what is due, for a period, or as a preview."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from aichat_server.app.jobs import Jobs
from aichat_server.domain.periods import Period
from aichat_server.services.batches import Progress
from aichat_server.services.job_runs import ALWAYS, JobBusyError

from aichat_workers.registry import Job

_log = structlog.get_logger()


async def run_due(job: Job, jobs: Jobs) -> None:
    """Runs it for the current period and for those that were missed, the oldest first; one that fails stops no other.

    Fails with what the last one failed with.
    """
    current = job.current(datetime.now(UTC))
    failure: Exception | None = None
    for period in [None] if current is None else await jobs.runs.due(job.name, current):
        try:
            await run(job, jobs, period)
        except JobBusyError as error:
            _log.info("job left to another", job=job.name, reason=str(error))
        except Exception as error:  # noqa: BLE001 — it is raised in the end
            _log.warning("job failed", job=job.name, period=period.name if period else None, error=repr(error))
            failure = error
    if failure is not None:
        raise failure


async def run(job: Job, jobs: Jobs, period: Period | None) -> object:
    """Runs it now and returns what came of it.

    TimeoutError if it takes too long, JobBusyError if another process is at it.
    """
    now = datetime.now(UTC)

    async def work(progress: Progress) -> object:
        async with asyncio.timeout(job.most_seconds):
            return await job.run(jobs, job.moment(period, now), progress)

    name = period.name if period else ALWAYS
    outcome = await jobs.runs.run(job.name, name, work)
    seconds = (datetime.now(UTC) - now).total_seconds()
    _log.info("job done", job=job.name, period=name, outcome=str(outcome), seconds=seconds)
    return outcome


async def preview(job: Job, jobs: Jobs, period: Period | None) -> object:
    """What a run would do."""
    return await job.preview(jobs, job.moment(period, datetime.now(UTC)))
