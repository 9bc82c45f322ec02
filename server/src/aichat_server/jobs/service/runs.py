"""Runs jobs: each in one process at a time, with a record of its outcome.

The record tells which missed periods are still to run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from aichat_server.core.actor import Actor, acting_as
from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError
from aichat_server.core.periods import Period, parse_period
from aichat_server.jobs.domain.observing import JobObserver
from aichat_server.jobs.storage.runs import JobClaim, JobRunRepository, hold_job

_log = structlog.get_logger()

HELD_SECONDS = 15.0
"""How long a job stays held by a run whose process has died."""
_RENEWALS = 3
# How soon a failed renewal is retried.
_RETRY_SECONDS = 1.0

ALWAYS = ""
"""The period of a job without periods: each run does all that is due."""


class JobBusyError(Exception):
    """The job already runs for the same period."""


class JobRuns:
    """The record of all jobs' runs, which also holds them.

    A killed process leaves its period unfinished, and holds it a moment longer.
    """

    def __init__(self, database: Database, observer: JobObserver, held_seconds: float = HELD_SECONDS) -> None:
        self._database = database
        self._observer = observer
        self._held_seconds = held_seconds

    async def run(self, job: str, period: str, work: Callable[[Progress], Awaitable[object]]) -> object:
        """Does the job's work for a period, continuing an unfinished run, and returns its outcome.

        Raises JobBusyError if another process runs it, or may run it now because the hold could not be renewed. A
        failure of the work is recorded and raised.
        """
        run = JobClaim(job, period, uuid4())
        held_until = asyncio.get_running_loop().time() + self._held_seconds
        async with self._database.platform_session() as session:
            claimed = await JobRunRepository(session).claim(run, self._held_seconds)
        if claimed is None:
            message = f"runs already: wait for its end, or {self._held_seconds:.0f} s if its process was killed"
            raise JobBusyError(f"{_name(run)} {message}")

        async def note(org_id: UUID | None) -> None:
            async with self._database.platform_session() as session:
                await JobRunRepository(session).reach(run, org_id)

        try:
            async with self._held(run, held_until):
                with acting_as(Actor.job(job)), self._observer.job(job):
                    outcome = await work(Progress(claimed.reached, note))
        except Exception as error:
            await self._fail(run, error)
            raise
        async with self._database.platform_session() as session:
            await JobRunRepository(session).succeed(run, str(outcome))
        return outcome

    async def due(self, job: str, current: Period) -> Sequence[Period]:
        """Returns the periods for which to run the job now, in order: the current one and missed ones.

        Missed are those whose last run did not succeed, and those since the last one that began.
        """
        async with self._database.platform_session() as session:
            known = await JobRunRepository(session).periods(job)
        # Names sort in the order of their periods. A period in the future was run by a clock that was ahead.
        known = {name: succeeded for name, succeeded in known.items() if name <= current.name}
        due = {name for name, succeeded in known.items() if not succeeded} | {current.name}
        newest = parse_period(current.cadence, max(known)) if known else current
        while newest.start < current.start:
            newest = newest.next
            due.add(newest.name)
        return [parse_period(current.cadence, name) for name in sorted(due)]

    @asynccontextmanager
    async def _held(self, run: JobClaim, until: float) -> AsyncGenerator[None, None]:
        """Ends the work inside with JobBusyError as soon as another process may hold the job."""
        try:
            async with asyncio.timeout_at(until) as hold:
                holding = asyncio.create_task(self._hold(run, hold))
                try:
                    yield
                finally:
                    holding.cancel()
                    await asyncio.gather(holding, return_exceptions=True)
        except TimeoutError as error:
            if not hold.expired():
                raise
            message = "was stopped: its hold could not be renewed, and another process may run it"
            raise JobBusyError(f"{_name(run)} {message}") from error

    async def _hold(self, run: JobClaim, hold: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        is_held = True
        while is_held:
            asked = loop.time()
            try:
                is_held = await hold_job(self._database.renewals, run, self._held_seconds)
            except AichatError as error:
                _log.warning("job not held", job=run.job, period=run.period, reason=error.reason)
                await asyncio.sleep(min(_RETRY_SECONDS, self._held_seconds / _RENEWALS))
            else:
                hold.reschedule(asked + self._held_seconds if is_held else asked)
                await asyncio.sleep(self._held_seconds / _RENEWALS)

    async def _fail(self, run: JobClaim, error: Exception) -> None:
        failure = error.reason.value if isinstance(error, AichatError) else type(error).__name__
        # Nothing can be recorded without the database: the period stays unfinished, which is enough.
        with suppress(AichatError):
            async with self._database.platform_session() as session:
                await JobRunRepository(session).fail(run, failure)


async def purge_runs(database: Database, before: datetime) -> int:
    """Deletes periods whose last run began before then and succeeded; returns their number."""
    async with database.platform_session() as session:
        return await JobRunRepository(session).purge(before)


def _name(run: JobClaim) -> str:
    return f"{run.job} {run.period}".strip()
