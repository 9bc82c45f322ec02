"""A replica for readers, a Redis between the servers, and the workers' real command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.app.stores import build_orphans
from aichat_server.core.database.database import Database
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.service.orphans import Reaped

from tests.fixtures.clocks import program
from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.rows import connection
from tests.fixtures.server import RunServer, ServerUnderTest

MODEL, PROVIDER = "gpt-6-luna", "openai"


@pytest.fixture(scope="module", autouse=True)
async def nothing_left(postgres: Postgres) -> None:
    """Ends what other tests left unfinished, so that these workers do not find it."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute("DELETE FROM aichat.leases")


@pytest.fixture(scope="session")
async def redis() -> AsyncGenerator[RedisUnderTest, None]:
    """One for all of these tests. A test that suspends it resumes it."""
    async with run_redis() as server:
        yield server


@pytest.fixture(scope="session")
async def reader(run_server: RunServer, redis: RedisUnderTest) -> AsyncGenerator[ServerUnderTest, None]:
    """The replica that survives."""
    async with run_server(REDIS_URL=redis.url, AICHAT_HEARTBEAT_SECONDS="0.3", AICHAT_LEASE_SECONDS="15") as server:
        yield server


@dataclass(frozen=True, slots=True)
class Command:
    """A running `python -m aichat_workers`."""

    process: asyncio.subprocess.Process | ForkedProcess
    log: Path


Workers = Callable[..., AbstractAsyncContextManager[Command]]


@pytest.fixture(scope="session")
def workers(
    server_settings: dict[str, str], redis: RedisUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Workers:
    """Starts a command of the workers, with its own settings, and kills what is left of it.

    `clock`: see tests.fixtures.clocks.
    """

    @asynccontextmanager
    async def start(*arguments: str, clock: Path | None = None, **settings: str) -> AsyncGenerator[Command, None]:
        folder = tmp_path_factory.mktemp("workers")
        environment = {**server_settings, "REDIS_URL": redis.url, **settings}
        process: asyncio.subprocess.Process | ForkedProcess
        if clock is None:
            process = await fork(environment, folder, "aichat_workers", *arguments, errors="log", output="log")
        else:
            process = await wrong_program(clock, folder, environment, *arguments)
        try:
            yield Command(process, folder / "log")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    return start


async def wrong_program(
    clock: Path, folder: Path, environment: Mapping[str, str], *arguments: str
) -> asyncio.subprocess.Process:
    """Starts the workers' command with a wrong clock."""
    with (folder / "log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *program("aichat_workers", clock), *arguments, cwd=folder, env=environment, stdout=log, stderr=log
        )


async def run_job(workers: Workers, job: str) -> None:
    """Runs a job to its end, once no killed process holds it any more."""
    async with asyncio.timeout(60):
        while True:
            async with workers("run", job) as command:
                if await command.process.wait() == 0:
                    return
                log = command.log.read_text()
            assert "runs already" in log, log


Reap = Callable[[], Awaitable[Reaped]]


@pytest.fixture
def reap(database: Database, redis: RedisUnderTest) -> Reap:
    """Runs the job once."""
    streams = JournalStreams(redis.client, retention_seconds=600, rescue_seconds=600)
    orphans = build_orphans(database, streams, None, rescue_seconds=600)
    return lambda: orphans.reap(datetime.now(UTC))


async def expire(postgres: Postgres, org_id: UUID) -> None:
    """Makes every lease of an organisation expire now."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.leases SET expires_at = now() WHERE org_id = $1", org_id)


async def generations(postgres: Postgres, org_id: UUID) -> dict[str, str]:
    """Returns the states of an organisation's generations, by id."""
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch("SELECT generation_id, state FROM aichat.generations WHERE org_id = $1", org_id)
    return {str(row["generation_id"]): row["state"] for row in rows}
