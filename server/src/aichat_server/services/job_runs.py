"""Runs jobs: each in one process at a time, with a record of what came of it.

By that record, periods that were missed are made up for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from aichat_server.domain.errors import AichatError
from aichat_server.domain.observing import Observer
from aichat_server.domain.periods import Period, parse_period
from aichat_server.storage.database import Database

_log = structlog.get_logger()

ALWAYS = ""
"""The period of a job that has none: each run does whatever there is to do."""


class JobBusyError(Exception):
    """The job runs already, for the same period."""


class JobRuns:
    """The record of all jobs' runs. Whoever is killed leaves its period unfinished, and its lock goes with it."""

    def __init__(self, database: Database, observer: Observer) -> None:
        self._database = database
        self._observer = observer

    async def run(self, job: str, period: str, work: Callable[[], Awaitable[object]]) -> object:
        """Does the job's work for a period, and returns what came of it.

        JobBusyError if another process is at it. What the work fails with is recorded, and goes on.
        """
        async with self._database.job_lock(f"{job} {period}") as held:
            if not held:
                raise JobBusyError(f"{job} {period}".strip() + " runs already: wait for its end")
            async with self._database.work_list() as lists:
                await lists.job_runs.begin(job, period)
            try:
                with self._observer.job(job):
                    outcome = await work()
            except Exception as error:
                await self._fail(job, period, error)
                raise
            async with self._database.work_list() as lists:
                await lists.job_runs.succeed(job, period, str(outcome))
        return outcome

    async def due(self, job: str, current: Period) -> Sequence[Period]:
        """The periods to run the job for now, in their order: the current one, and those that were missed.

        That is, those whose last run did not come to a good end, and those since it last began one.
        """
        async with self._database.work_list() as lists:
            known = await lists.job_runs.periods(job)
        due = {name for name, succeeded in known.items() if not succeeded} | {current.name}
        newest = parse_period(current.cadence, max(known)) if known else current
        while newest.start < current.start:
            newest = newest.next
            due.add(newest.name)
        return [parse_period(current.cadence, name) for name in sorted(due)]

    async def _fail(self, job: str, period: str, error: Exception) -> None:
        failure = error.reason.value if isinstance(error, AichatError) else type(error).__name__
        # With the database away nothing can be recorded: the period stays unfinished, which says enough.
        with suppress(AichatError):
            async with self._database.work_list() as lists:
                await lists.job_runs.fail(job, period, failure)
