"""The ledger's partitions: one for each month, without gaps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.periods import month_of
from aichat_server.identity.domain.principals import Principal
from aichat_server.usage.service.books import extend_books

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import connection
from tests.integration.conversations.turns import exchange

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NOW = datetime.now(UTC)
_PARTITIONS = """
    SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced,
        EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = 'immutable') AS immutable,
        pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'aichat.usage_events'::regclass AND c.relkind = 'r' ORDER BY 1
"""


@pytest.fixture
async def postgres() -> AsyncGenerator[Postgres, None]:
    """A separate one, since its partitions are removed."""
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            await migrate(server.owner_url, server.app_url)
            yield server


@pytest.fixture
async def database(postgres: Postgres) -> AsyncGenerator[Database, None]:
    async with open_database(postgres.app_url, pool_size=4) as opened:
        yield opened


@pytest.fixture
async def owner(postgres: Postgres) -> AsyncGenerator[Connection, None]:
    async with connection(postgres.owner_url) as opened:
        await opened.execute("SET timezone = 'America/New_York'")
        yield opened


def partition(moment: datetime) -> str:
    return f"usage_events_{moment:%Y_%m}"


async def events(owner: Connection) -> dict[str, int]:
    rows = await owner.fetch("SELECT tableoid::regclass::text AS name, count(*) FROM aichat.usage_events GROUP BY 1")
    return {row["name"].removeprefix("aichat."): row["count"] for row in rows}


async def test_there_is_one_for_this_month_and_the_three_that_follow(owner: Connection, database: Database) -> None:
    months = [month_of(NOW)]
    for _ in range(3):
        months.append(month_of(months[-1].end))
    await owner.execute("SET timezone = 'UTC'")
    found = {row["relname"]: row for row in await owner.fetch(_PARTITIONS)}
    assert found.keys() == {"usage_events_rest", *(partition(one.start) for one in months)}
    assert all(row["forced"] and row["immutable"] for row in found.values())
    for one in months:
        bound = found[partition(one.start)]["bound"]
        assert bound == f"FOR VALUES FROM ('{one.start:%Y-%m-%d %H:%M:%S}+00') TO ('{one.end:%Y-%m-%d %H:%M:%S}+00')"
    assert await extend_books(database) == 0, "they are there already"


async def test_rows_without_a_partition_are_kept_and_moved(
    owner: Connection, database: Database, principal: Principal
) -> None:
    this = partition(NOW)
    await owner.execute(f"DROP TABLE aichat.{this}")
    await exchange(database, principal)
    before = await owner.fetch("SELECT * FROM aichat.usage_events")
    assert await events(owner) == {"usage_events_rest": 1}
    assert await extend_books(database) == 1
    assert await events(owner) == {this: 1}
    assert await owner.fetch("SELECT * FROM aichat.usage_events") == before
    await exchange(database, principal)
    assert await events(owner) == {this: 2}


async def test_it_waits_only_briefly_and_is_retried(
    owner: Connection, database: Database, principal: Principal, postgres: Postgres
) -> None:
    await exchange(database, principal)
    await owner.execute(f"DROP TABLE aichat.{partition(NOW + timedelta(days=85))}")
    await owner.execute("ALTER FUNCTION aichat.extend_books SET lock_timeout = '100ms'")
    async with connection(postgres.owner_url) as reader, reader.transaction():
        await reader.execute("SELECT count(*) FROM aichat.usage_events")
        with pytest.raises(AichatError) as caught:
            await extend_books(database)
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        assert "lock timeout" in str(caught.value.__cause__)
    assert await extend_books(database) == 1


@pytest.mark.parametrize("statement", ["SELECT * FROM", "INSERT INTO", "DELETE FROM"])
async def test_the_servers_role_reaches_them_only_through_the_ledger(postgres: Postgres, statement: str) -> None:
    words = f"{statement} aichat.{partition(NOW)}" + " DEFAULT VALUES" * statement.startswith("INSERT")
    async with connection(postgres.app_url) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(words)
