"""`run` and `health`, as an operator types them."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx2
import pytest
from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.periods import Cadence, period_of
from aichat_server.jobs.storage.runs import JobRunRepository
from aichat_workers.registry import JOBS

from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually
from tests.integration.workers.conftest import Workers


async def tell(workers: Workers, *arguments: str) -> tuple[int, str]:
    async with workers(*arguments) as command:
        code = await command.process.wait()
        return code, command.log.read_text()


async def _count(postgres: Postgres) -> int:
    async with connection(postgres.owner_url) as owner:
        return int(await owner.fetchval("SELECT count(*) FROM aichat.invoices"))


async def test_a_dry_run_tells_and_changes_nothing(workers: Workers, postgres: Postgres) -> None:
    before = await _count(postgres)
    month = f"{datetime.now(UTC):%Y-%m}"
    results = await asyncio.gather(
        tell(workers, "run", "invoices", "--period", month, "--dry-run"), tell(workers, "run", "purge", "--dry-run")
    )
    for (code, told), words in zip(results, (f"invoices {month}", "purge"), strict=True):
        assert code == 0, told
        assert re.search(rf"^{words}.* \(dry run\): \d+ ", told, re.MULTILINE), told
    assert await _count(postgres) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("invoices", "--period", "2026-1"), "'2026-1' is not a month such as 2026-10"),
        (("invoices", "--period", f"{datetime.now(UTC):%Y-%m}"), "is not over: it can be run with --dry-run only"),
        (("warnings", "--period", "2999-01-01"), "2999-01-01 has not begun"),
        (("orphans", "--period", "2026-10"), "unrecognized arguments: --period 2026-10"),
    ],
)
async def test_a_period_that_will_not_do_is_refused(workers: Workers, arguments: tuple[str, ...], words: str) -> None:
    code, told = await tell(workers, "run", *arguments)
    assert code == 2
    assert words in told
    assert "Traceback" not in told


async def test_workers_that_start_make_up_for_what_was_missed_and_health_tells(
    workers: Workers, postgres: Postgres, database: Database
) -> None:
    missed = period_of(Cadence.HOUR, datetime.now(UTC) - timedelta(hours=4))
    async with connection(postgres.owner_url) as owner:
        await owner.execute("DELETE FROM aichat.job_runs WHERE job = 'rollups'")
        await owner.execute(
            "INSERT INTO aichat.job_runs (job, period, started_at, ended_at, succeeded_at) VALUES ($1, $2, $3, $3, $3)",
            *("rollups", missed.name, missed.end),
        )
    code, told = await tell(workers, "health")
    assert code == 1, told
    assert re.search(r"^rollups .* late$", told, re.MULTILINE), told

    [port] = free_ports(1)
    async with workers("serve", AICHAT_WORKER_METRICS_LISTEN=f"127.0.0.1:{port}"):
        await eventually(partial(_succeeded, database), lambda jobs: jobs >= JOBS.keys())
        told = await _metrics(port)
    for job in JOBS:
        assert f'aichat_job_runs_total{{job="{job}",outcome="succeeded"}}' in told
    # The jobs are observed when the workers start, and regularly after that.
    for name in ("aichat_job_lag_seconds", "aichat_work_waiting", "aichat_queue_depth", "aichat_holds"):
        assert f"\n{name}{{" in told, name
    async with database.platform_session() as session:
        periods = await JobRunRepository(session).periods("rollups")
    due = missed
    while due.end <= datetime.now(UTC) - timedelta(minutes=5):
        assert periods[due.name], due.name
        due = due.next
    code, told = await tell(workers, "health")
    assert code == 0, told
    assert {line.split()[0] for line in told.splitlines()} >= JOBS.keys()


async def _metrics(port: int) -> str:
    async with httpx2.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text


async def _succeeded(database: Database) -> set[str]:
    """Returns the jobs that have just succeeded."""
    async with database.platform_session() as session:
        states = await JobRunRepository(session).states()
    now = datetime.now(UTC)
    return {
        job
        for job, state in states.items()
        if state.succeeded_at is not None and now - state.succeeded_at < timedelta(minutes=2)
    }
