"""Promise 12: a job runs once at a time for each period, and what was missed is made up for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.domain.observing import Observer
from aichat_server.domain.periods import Cadence, Period, period_of
from aichat_server.services.job_runs import JobBusyError, JobRuns
from aichat_server.storage.database import Database, open_database

from tests.integration.chat.asking import eventually
from tests.integration.storage.rows import connection

# The view shows the lock's signed number as one without a sign.
_HOLDER = """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = (hashtext($1)::bigint & 4294967295)::oid
"""
TODAY = period_of(Cadence.DAY, datetime(2026, 3, 2, tzinfo=UTC))


async def nothing() -> str:
    return "done"


@pytest.fixture
def runs(database: Database) -> JobRuns:
    return JobRuns(database, Observer())


@pytest.fixture
def job() -> str:
    return f"job-{uuid4()}"


@pytest.fixture
async def other(postgres: Postgres) -> AsyncGenerator[JobRuns, None]:
    """Another worker's."""
    async with open_database(postgres.app_url, pool_size=4) as database:
        yield JobRuns(database, Observer())


async def names(runs: JobRuns, job: str, current: Period) -> list[str]:
    return [period.name for period in await runs.due(job, current)]


async def test_one_process_at_a_time_runs_it_for_a_period(runs: JobRuns, other: JobRuns, job: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    running = asyncio.create_task(runs.run(job, "2026-03-01", wait))
    await begun.wait()
    with pytest.raises(JobBusyError, match=f"{job} 2026-03-01 runs already"):
        await other.run(job, "2026-03-01", nothing)
    assert await other.run(job, "2026-03-02", nothing) == "done", "another period is free"
    go_on.set()
    await running
    assert await other.run(job, "2026-03-01", nothing) == "done"


async def test_the_lock_of_one_that_is_cut_off_is_free(
    runs: JobRuns, other: JobRuns, job: str, postgres: Postgres
) -> None:
    async def cut_off() -> str:
        async with connection(postgres.owner_url) as owner:
            pid = await owner.fetchval(_HOLDER, f"{job} ")
            assert await owner.fetchval("SELECT pg_terminate_backend($1)", pid)

            async def holders() -> int:
                return int(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE pid = $1", pid))

            await eventually(holders, lambda count: count == 0)
        return str(await other.run(job, "", nothing))

    # The one that lost it goes on, since every job may run twice.
    assert await runs.run(job, "", cut_off) == "done"


async def test_periods_that_were_missed_or_failed_are_due_again_in_their_order(runs: JobRuns, job: str) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    assert await names(runs, job, TODAY) == ["2026-03-02"], "nobody knows of earlier ones"
    await runs.run(job, "2026-02-26", nothing)
    with pytest.raises(ZeroDivisionError):
        await runs.run(job, "2026-02-27", fail)
    assert await names(runs, job, TODAY) == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    for period in ("2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"):
        await runs.run(job, period, nothing)
    assert await names(runs, job, TODAY) == ["2026-03-02"], "the current one can always be run again"


async def test_a_period_whose_last_run_failed_is_due_again_though_an_earlier_one_succeeded(
    runs: JobRuns, job: str, database: Database
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    await runs.run(job, "2026-03-01", nothing)
    with pytest.raises(ZeroDivisionError):
        await runs.run(job, "2026-03-01", fail)
    assert await names(runs, job, TODAY) == ["2026-03-01", "2026-03-02"]
    for period in ("2026-03-01", "2026-03-02"):
        await runs.run(job, period, nothing)
    assert await names(runs, job, TODAY) == ["2026-03-02"]
    async with database.work_list() as work:
        assert not (await work.job_runs.states())[job].failing


async def test_what_is_known_of_it_tells_failures_until_they_are_made_up_for(
    runs: JobRuns, job: str, database: Database
) -> None:
    async def fail() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await runs.run(job, "2026-02-27", fail)
    await runs.run(job, "2026-02-28", nothing)
    async with database.work_list() as work:
        state = (await work.job_runs.states())[job]
    assert (state.runs, state.failures, state.failing) == (2, 1, True)
    await runs.run(job, "2026-02-27", nothing)
    async with database.work_list() as work:
        state = (await work.job_runs.states())[job]
    assert (state.runs, state.failures, state.failing) == (3, 1, False)
    assert state.succeeded_at is not None
    assert datetime.now(UTC) - state.succeeded_at < timedelta(minutes=5)


async def test_of_one_that_died_its_period_is_due_again(runs: JobRuns, job: str, database: Database) -> None:
    async with database.work_list() as work:
        await work.job_runs.begin(job, "2026-03-01")
    assert await names(runs, job, TODAY) == ["2026-03-01", "2026-03-02"]
