"""The runs of the jobs, as stored."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.domain.jobs import JobState
from aichat_server.storage.job_tables import job_runs as table

_GOOD_END = table.c.ended_at.is_not(None) & table.c.failure.is_(None)


class JobRunStore:
    """What became of each job in each period, for a transaction of the work list. Times are the database's."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(self, job: str, period: str) -> None:
        """It runs now."""
        row = insert(table).values(job=job, period=period, runs=1, failures=0, started_at=func.now())
        again = {"runs": table.c.runs + 1, "started_at": func.now(), "ended_at": None}
        await self._connection.execute(row.on_conflict_do_update(index_elements=[*table.primary_key], set_=again))

    async def succeed(self, job: str, period: str, outcome: str) -> None:
        """It has come to a good end."""
        await self._set(job, period, succeeded_at=func.now(), outcome=outcome, failure=None)

    async def fail(self, job: str, period: str, failure: str) -> None:
        """It has failed."""
        await self._set(job, period, failures=table.c.failures + 1, failure=failure)

    async def periods(self, job: str) -> dict[str, bool]:
        """The periods that the job has begun with, and whether its last run came to a good end in each."""
        query = select(table.c.period, _GOOD_END).where(table.c.job == job)
        return {row.period: row[1] for row in await self._connection.execute(query)}

    async def states(self) -> dict[str, JobState]:
        """How each job that ever ran has been doing, by its name."""
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
        """Forgets the periods whose last run began before then, and came to a good end; returns how many."""
        done = _GOOD_END & (table.c.started_at < before)
        return (await self._connection.execute(delete(table).where(done))).rowcount

    async def _set(self, job: str, period: str, **values: object) -> None:
        change = update(table).where(table.c.job == job, table.c.period == period)
        await self._connection.execute(change.values(ended_at=func.now(), **values))
