"""One run of one job."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import structlog
from aichat_server.app.jobs import Jobs

from aichat_workers.registry import Job

_log = structlog.get_logger()


async def run(job: Job, jobs: Jobs) -> object:
    """Runs it now and returns what came of it; TimeoutError if it takes too long."""
    now = datetime.now(UTC)
    async with asyncio.timeout(job.most_seconds):
        outcome = await job.run(jobs, now)
    _log.info("job done", job=job.name, outcome=str(outcome), seconds=(datetime.now(UTC) - now).total_seconds())
    return outcome
