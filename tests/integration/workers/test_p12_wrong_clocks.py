"""Promise 12: a job may run late, but never early.

The database's clock says what is due, and a worker whose own clock differs much from it leaves the jobs to others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from aichat_sandbox.ports import free_ports
from aichat_server.core.database.database import open_database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.models.gateway import load_prices
from aichat_server.models.service import add_prices
from aichat_server.plans.domain import Plan
from aichat_server.plans.service import StoredPlans, add_terms
from aichat_server.settings import DEFAULT_MODELS
from aichat_workers.registry import JOBS

from tests.fixtures.nursery import run_program
from tests.fixtures.postgres import fresh_postgres
from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually
from tests.integration.conversations.turns import exchange
from tests.integration.workers.conftest import Workers

DAY = 86_400
WRONG = [40 * DAY, -15 * 60]
"""Seconds by which clocks are ahead."""


@dataclass(frozen=True)
class Place:
    """A database whose plans keep conversations for a month, with a conversation from now; and a clock."""

    settings: dict[str, str] = field(repr=False)
    owner_url: str = field(repr=False)
    clock: Path

    async def ask(self, query: str) -> object:
        """Returns the only value of the query."""
        async with connection(self.owner_url) as owner:
            return await owner.fetchval(query)

    async def conversations(self) -> object:
        return await self.ask("SELECT count(*) FROM aichat.conversations")

    async def runs(self) -> object:
        return await self.ask("SELECT coalesce(sum(runs), 0)::int FROM aichat.job_runs")

    async def run(self, module: str, *arguments: str) -> tuple[int, str]:
        """Runs a command to its end; returns its exit code and output."""
        return await run_program(self.settings, self.clock.parent, module, *arguments, clock=self.clock)


@pytest.fixture
async def place(server_settings: dict[str, str], tmp_path: Path) -> AsyncGenerator[Place, None]:
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with fresh_postgres() as server:
        await add_prices(server.owner_url, load_prices(DEFAULT_MODELS))
        principal = Principal(uuid4(), uuid4())
        async with open_database(server.app_url) as database:
            terms = (await StoredPlans(database).plans())[Plan.FREE][-1]
            await add_terms(server.owner_url, replace(terms, retention_days=30))
            async with database.session(principal.org_id, principal.actor) as session:
                await OrganizationRepository(session).ensure("Test", principal.member_id)
            await exchange(database, principal)
        settings = server_settings | {"DATABASE_URL": server.app_url, "AICHAT_MIGRATION_DATABASE_URL": server.owner_url}
        yield Place(settings, server.owner_url, clock)


@pytest.mark.parametrize("seconds", WRONG)
async def test_nothing_is_run_by_a_clock_that_is_wrong(place: Place, seconds: int) -> None:
    place.clock.write_text(str(seconds))
    this = f"{datetime.now(UTC):%Y-%m}"
    commands = [
        ("aichat_workers", "run", "purge"),
        ("aichat_workers", "run", "purge", "--dry-run"),
        ("aichat_workers", "run", "invoices"),
        ("aichat_server", "usage", "rebuild"),
        ("aichat_server", "invoices", "run", "--month", this),
    ]
    for command in commands:
        code, told = await place.run(*command)
        assert code == 1, told
        assert "clock" in told
        assert "Traceback" not in told
    assert (await place.conversations(), await place.runs()) == (1, 0)


async def test_what_is_due_is_said_by_the_databases_clock(place: Place) -> None:
    place.clock.write_text("90")
    code, told = await place.run("aichat_workers", "run", "rollups")
    assert code == 0, told
    started = "to_char(started_at AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24')"
    assert await place.ask(f"SELECT period = {started} FROM aichat.job_runs"), "the hour before the database's"  # noqa: S608


async def skew(port: int) -> float | None:
    """Returns by how many seconds a worker considers its clock to be ahead."""
    async with httpx2.AsyncClient() as client:
        try:
            told = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        except httpx2.TransportError:
            return None
    found = [line.split()[1] for line in told.splitlines() if line.startswith("aichat_clock_skew_seconds ")]
    return float(found[0]) if found else None


async def succeeded(place: Place) -> set[str]:
    async with connection(place.owner_url) as owner:
        rows = await owner.fetch("SELECT job FROM aichat.job_runs WHERE succeeded_at IS NOT NULL")
    return {row["job"] for row in rows}


async def test_a_worker_says_that_its_clock_is_wrong_and_works_once_it_is_right(workers: Workers, place: Place) -> None:
    ahead = datetime.now(UTC) + timedelta(days=40)
    async with connection(place.owner_url) as owner:
        # A worker of an earlier version has begun it.
        query = "INSERT INTO aichat.job_runs (job, period, started_at) VALUES ('rollups', $1, now())"
        await owner.execute(query, f"{ahead:%Y-%m-%dT%H}")
    before = await place.runs()
    place.clock.write_text(str(40 * DAY))
    [port] = free_ports(1)
    settings = place.settings | {"AICHAT_WORKER_METRICS_LISTEN": f"127.0.0.1:{port}"}
    async with workers("serve", clock=place.clock, **settings) as command:
        await eventually(partial(skew, port), lambda seconds: seconds is not None and abs(seconds - 40 * DAY) < 60)
        code, told = await place.run("aichat_workers", "health")
        assert code == 1, told
        assert "this machine's clock is 40 days ahead" in told
        assert "this machine's clock is wrong" in command.log.read_text()
        assert (await place.conversations(), await place.runs()) == (1, before)
        place.clock.write_text("0")
        await eventually(partial(skew, port), lambda seconds: seconds is not None and abs(seconds) < 60)
        await eventually(partial(succeeded, place), lambda jobs: jobs >= JOBS.keys())
    code, told = await place.run("aichat_workers", "health")
    assert "clock is 0 s from the database's" in told
    assert await place.conversations() == 1
    kept = await place.ask("SELECT runs FROM aichat.job_runs WHERE succeeded_at IS NULL")
    assert kept == before, "the period that has not begun yet"


async def test_keys_end_by_the_databases_clock(place: Place) -> None:
    place.clock.write_text(str(40 * DAY))
    code, told = await place.run(
        "aichat_server", "keys", "mint", "--organization", "Short", "--expires-in-days", "1", "--json"
    )
    assert code == 0, told
    assert await place.ask("SELECT max(expires_at) BETWEEN now() AND now() + interval '1 day' FROM aichat.api_keys")
