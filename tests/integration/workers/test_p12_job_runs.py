"""Promise 12: a job runs once at a time for each period, and missed periods are run later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.periods import Cadence, Period, period_of
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.directory import organization_pages
from aichat_server.identity.storage.organizations import list_organizations
from aichat_server.jobs.service.runs import JobBusyError, JobRuns
from aichat_server.jobs.storage.runs import JobClaim, JobRunRepository
from aichat_server.telemetry.observing import Observer

from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually

_HELD_UNTIL = "SELECT held_until FROM aichat.job_runs WHERE job = $1"
TODAY = period_of(Cadence.DAY, datetime(2026, 3, 2, tzinfo=UTC))


async def nothing(_: Progress) -> str:
    return "done"


@pytest.fixture
def runs(database: Database) -> JobRuns:
    return JobRuns(database, Observer())


@pytest.fixture
def job() -> str:
    return f"job-{uuid4()}"


@pytest.fixture
async def other(postgres: Postgres) -> AsyncGenerator[JobRuns, None]:
    """Another worker's runs."""
    async with open_database(postgres.app_url, pool_size=4) as database:
        yield JobRuns(database, Observer())


async def names(runs: JobRuns, job: str, current: Period) -> list[str]:
    return [period.name for period in await runs.due(job, current)]


async def test_one_process_at_a_time_runs_it_for_a_period(runs: JobRuns, other: JobRuns, job: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Progress) -> None:
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


async def test_one_that_was_killed_holds_its_period_for_a_moment_longer(
    runs: JobRuns, job: str, database: Database
) -> None:
    async with database.platform_session() as session:
        assert await JobRunRepository(session).claim(JobClaim(job, "", uuid4()), 3600)
    with pytest.raises(JobBusyError, match="15 s if its process was killed"):
        await runs.run(job, "", nothing)
    other_job = f"{job}-2"
    async with database.platform_session() as session:
        assert await JobRunRepository(session).claim(JobClaim(other_job, "", uuid4()), 0)
    assert await runs.run(other_job, "", nothing) == "done"


async def test_one_that_goes_on_holds_its_period_by_renewing_it_and_without_a_connection(
    database: Database, job: str, postgres: Postgres
) -> None:
    runs = JobRuns(database, Observer(), held_seconds=0.3)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Progress) -> None:
        begun.set()
        await go_on.wait()

    running = asyncio.create_task(runs.run(job, "", wait))
    await begun.wait()
    async with connection(postgres.owner_url) as owner:
        first = await owner.fetchval(_HELD_UNTIL, job)

        async def held_until() -> datetime:
            until: datetime = await owner.fetchval(_HELD_UNTIL, job)
            return until

        # Past its first end.
        await eventually(held_until, lambda until: until > first + timedelta(seconds=0.3))
        assert not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    go_on.set()
    await running
    assert await JobRuns(database, Observer()).run(job, "", nothing) == "done"


async def test_one_that_lost_its_period_to_another_leaves_the_record_to_it(
    runs: JobRuns, job: str, database: Database
) -> None:
    lost, other = JobClaim(job, "", uuid4()), JobClaim(job, "", uuid4())
    async with database.platform_session() as session:
        await JobRunRepository(session).claim(lost, 0)
    async with database.platform_session() as session:
        assert await JobRunRepository(session).claim(other, 3600)
        await JobRunRepository(session).succeed(lost, "late")
        await JobRunRepository(session).fail(lost, "late")
    with pytest.raises(JobBusyError):
        await runs.run(job, "", nothing)
    async with database.platform_session() as session:
        await JobRunRepository(session).succeed(other, "done")
    assert await runs.run(job, "", nothing) == "done"


async def test_a_run_goes_on_from_where_an_unfinished_one_came_to(
    runs: JobRuns, job: str, database: Database, principal: Principal
) -> None:
    async with database.platform_session() as session:
        everyone = await list_organizations(session, None, 10_000)
    seen = list[UUID]()

    async def break_off(progress: Progress) -> None:
        async for page in organization_pages(database, progress):
            seen.extend(page)
            await progress.reach(principal.org_id)
            raise ZeroDivisionError

    async def go_through(progress: Progress) -> str:
        async for page in organization_pages(database, progress):
            seen.extend(page)
        return "done"

    with pytest.raises(ZeroDivisionError):
        await runs.run(job, "", break_off)
    seen.clear()
    await runs.run(job, "", go_through)
    assert seen == [one for one in everyone if one > principal.org_id]
    seen.clear()
    await runs.run(job, "", go_through)
    assert set(seen) == set(everyone), "the next one starts from the beginning"


async def test_periods_that_were_missed_or_failed_are_due_again_in_their_order(runs: JobRuns, job: str) -> None:
    async def fail(_: Progress) -> None:
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
    async def fail(_: Progress) -> None:
        raise ZeroDivisionError

    await runs.run(job, "2026-03-01", nothing)
    with pytest.raises(ZeroDivisionError):
        await runs.run(job, "2026-03-01", fail)
    assert await names(runs, job, TODAY) == ["2026-03-01", "2026-03-02"]
    for period in ("2026-03-01", "2026-03-02"):
        await runs.run(job, period, nothing)
    assert await names(runs, job, TODAY) == ["2026-03-02"]
    async with database.platform_session() as session:
        assert not (await JobRunRepository(session).states())[job].failing


async def test_what_is_known_of_it_tells_failures_until_they_are_made_up_for(
    runs: JobRuns, job: str, database: Database
) -> None:
    async def fail(_: Progress) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await runs.run(job, "2026-02-27", fail)
    await runs.run(job, "2026-02-28", nothing)
    async with database.platform_session() as session:
        state = (await JobRunRepository(session).states())[job]
    assert (state.runs, state.failures, state.failing) == (2, 1, True)
    await runs.run(job, "2026-02-27", nothing)
    async with database.platform_session() as session:
        state = (await JobRunRepository(session).states())[job]
    assert (state.runs, state.failures, state.failing) == (3, 1, False)
    assert state.succeeded_at is not None
    assert datetime.now(UTC) - state.succeeded_at < timedelta(minutes=5)


async def test_of_one_that_died_its_period_is_due_again(runs: JobRuns, job: str, database: Database) -> None:
    async with database.platform_session() as session:
        await JobRunRepository(session).claim(JobClaim(job, "2026-03-01", uuid4()), 0)
    assert await names(runs, job, TODAY) == ["2026-03-01", "2026-03-02"]
