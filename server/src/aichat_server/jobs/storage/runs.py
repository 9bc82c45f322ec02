"""Stores the runs of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.pool import Pool
from aichat_server.core.database.session import PlatformRepository
from aichat_server.jobs.domain.jobs import JobState
from aichat_server.jobs.storage.tables import job_runs as table


class JobClaim(NamedTuple):
    """One run of a job for a period."""

    job: str
    period: str
    holder: UUID


class Claimed(NamedTuple):
    """What a run learns when it may begin."""

    reached: UUID | None
    """The organisation that an unfinished run before it had reached."""


_HOLD_JOB = "SELECT aichat.hold_job($1, $2, $3, $4)"
_GOOD_END = table.c.ended_at.is_not(None) & table.c.failure.is_(None)


class JobRunRepository(PlatformRepository):
    """The outcome of each job in each period, in a transaction of the work list. Times are the database's."""

    async def claim(self, run: JobClaim, seconds: float) -> Claimed | None:
        """Begins a run and holds the job for `seconds`; returns None if another run holds it."""
        held = {"holder": run.holder, "held_until": _in(seconds)}
        row = insert(table).values(job=run.job, period=run.period, runs=1, failures=0, started_at=func.now(), **held)
        again = {"runs": table.c.runs + 1, "started_at": func.now(), "ended_at": None, **held}
        is_free = table.c.held_until.is_(None) | (table.c.held_until <= func.now())
        claim = row.on_conflict_do_update(index_elements=[*table.primary_key], set_=again, where=is_free)
        found = (await self._connection.execute(claim.returning(table.c.reached))).one_or_none()
        return None if found is None else Claimed(found.reached)

    async def reach(self, run: JobClaim, org_id: UUID | None) -> None:
        """Records that the run has reached this organisation."""
        await self._set(run, reached=org_id)

    async def succeed(self, run: JobClaim, outcome: str) -> None:
        """Records that the run succeeded."""
        await self._end(run, succeeded_at=func.now(), outcome=outcome, failure=None)

    async def fail(self, run: JobClaim, failure: str) -> None:
        """Records that the run failed."""
        await self._end(run, failures=table.c.failures + 1, failure=failure)

    async def periods(self, job: str) -> dict[str, bool]:
        """Returns the periods that the job has begun, and whether its last run succeeded in each."""
        query = select(table.c.period, _GOOD_END).where(table.c.job == job)
        return {row.period: row[1] for row in await self._connection.execute(query)}

    async def states(self) -> dict[str, JobState]:
        """Returns the state of each job that ever ran, by its name."""
        columns = (
            table.c.job,
            func.sum(table.c.runs),
            func.sum(table.c.failures),
            func.max(table.c.succeeded_at),
            func.bool_or(table.c.failure.is_not(None)),
        )
        rows = await self._connection.execute(select(*columns).group_by(table.c.job))
        return {row[0]: JobState(int(row[1]), int(row[2]), row[3], row[4]) for row in rows}

    async def purge(self, before: datetime) -> int:
        """Deletes periods whose last run began before then and succeeded; returns their number."""
        done = _GOOD_END & (table.c.started_at < before)
        return (await self._connection.execute(delete(table).where(done))).rowcount

    async def _end(self, run: JobClaim, **values: object) -> None:
        await self._set(run, ended_at=func.now(), holder=None, held_until=None, **values)

    async def _set(self, run: JobClaim, **values: object) -> None:
        # A run that lost its hold leaves the record to the run that has it.
        mine = (table.c.job == run.job, table.c.period == run.period, table.c.holder == run.holder)
        await self._connection.execute(update(table).where(*mine).values(**values))


async def hold_job(pool: Pool, run: JobClaim, seconds: float) -> bool:
    """Extends the hold of a job, on a connection that its run never blocks; returns False if another run has it.

    Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    (is_held,) = await pool.fetchrow(_HOLD_JOB, *run, seconds)
    return bool(is_held)


def _in(seconds: float) -> ColumnElement[datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
