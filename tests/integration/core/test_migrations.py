"""Migrations: as an owner like Supabase's, repeatedly, and the server's role."""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import aichat_server
import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_server.core.database.database import open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.database.role import UnsafeRoleError, check_role
from aichat_server.core.database.tables import metadata
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import connection
from tests.integration.conversations.turns import exchange

FUNCTIONS = Path(__file__).resolve().parents[3] / "server/migrations/functions"


@dataclass
class Fresh:
    """A Postgres without migrations."""

    server: Postgres

    def url(self, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.server.port}/postgres"


@pytest.fixture(scope="module")
async def fresh() -> AsyncGenerator[Fresh, None]:
    """One whose tables' owner is not a superuser, as on Supabase."""
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            async with connection(server.owner_url) as superuser:
                await superuser.execute("CREATE ROLE supabase LOGIN CREATEROLE CREATEDB PASSWORD 'owner'")
                await superuser.execute("GRANT CREATE ON DATABASE postgres TO supabase")
            yield Fresh(server)


async def _objects(fresh: Fresh) -> list[tuple[object, ...]]:
    async with connection(fresh.server.owner_url) as owner:
        rows = await owner.fetch(
            "SELECT relname::text, relkind::text FROM pg_class WHERE relnamespace = 'aichat'::regnamespace "
            "UNION ALL SELECT proname::text, 'f' FROM pg_proc WHERE pronamespace = 'aichat'::regnamespace ORDER BY 1"
        )
    return [tuple(row) for row in rows]


async def test_an_owner_without_superuser_rights_migrates_again_and_again(fresh: Fresh) -> None:
    owner_url, app_url = fresh.url("supabase", "owner"), fresh.url("aichat_app", "first")
    await migrate(owner_url, app_url)
    objects = await _objects(fresh)
    assert ("begin_turn", "f") in objects

    await migrate(owner_url, app_url)
    assert await _objects(fresh) == objects
    async with open_database(app_url) as database:
        await check_role(database)
        principal = Principal(uuid4(), uuid4())
        async with database.session(principal.org_id, principal.actor) as session:
            await OrganizationRepository(session).ensure("Test", principal.member_id)
        await exchange(database, principal)
        with pytest.raises(UnsafeRoleError, match="owns objects"):
            async with open_database(owner_url) as as_owner:
                await check_role(as_owner)


async def test_a_database_without_the_schema_is_refused(fresh: Fresh) -> None:
    await migrate(fresh.url("supabase", "owner"), fresh.url("aichat_app", "app"))
    async with connection(fresh.server.owner_url) as superuser:
        await superuser.execute("CREATE DATABASE empty")
    async with open_database(fresh.url("aichat_app", "app").replace("/postgres", "/empty")) as database:
        with pytest.raises(UnsafeRoleError, match="run the migrations"):
            await check_role(database)


async def test_functions_become_what_their_files_say(fresh: Fresh) -> None:
    owner_url, app_url = fresh.url("supabase", "owner"), fresh.url("aichat_app", "app")
    definition = "SELECT pg_get_functiondef('aichat.books_lock'::regproc)"
    await migrate(owner_url, app_url)
    async with connection(owner_url) as owner:
        files = {file.stem for file in FUNCTIONS.glob("*.sql")}
        assert {name for name, kind in await _objects(fresh) if kind == "f"} == files
        kept = await owner.fetchval(definition)
        await owner.execute(
            "CREATE OR REPLACE FUNCTION aichat.books_lock(p_org_id uuid) RETURNS bigint LANGUAGE sql "
            "AS 'SELECT 1::bigint'"
        )
        assert await owner.fetchval(definition) != kept
        await migrate(owner_url, app_url)
        assert await owner.fetchval(definition) == kept


@pytest.mark.parametrize("password", ["p%40ss%3A%2F%27word", "gr%C3%BC%C3%9Fe%20%EF%AC%81"])
async def test_the_servers_role_gets_the_password_of_its_url(fresh: Fresh, password: str) -> None:
    owner_url = fresh.url("supabase", "owner")
    await migrate(owner_url, fresh.url("aichat_app", password))
    async with connection(fresh.url("aichat_app", password)) as app:
        assert await app.fetchval("SELECT current_user") == "aichat_app"
    # With Supabase's pooler the role's name contains the project's.
    await migrate(owner_url, fresh.url("aichat_app.project", "other"))
    async with connection(fresh.url("aichat_app", "other")) as app:
        assert await app.fetchval("SELECT current_user") == "aichat_app"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(fresh.url("aichat_app", password))


async def test_another_roles_password_is_left_alone(fresh: Fresh) -> None:
    await migrate(fresh.url("supabase", "owner"), fresh.url("someone", "else"))
    async with connection(fresh.url("supabase", "owner")) as owner:
        assert await owner.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'someone'") == 0


async def test_the_servers_role_owns_nothing_and_cannot_bypass(fresh: Fresh) -> None:
    await migrate(fresh.url("supabase", "owner"), fresh.url("aichat_app", "app"))
    async with connection(fresh.server.owner_url) as superuser:
        role = await superuser.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit, "
            "(SELECT count(*) FROM pg_shdepend WHERE refobjid = pg_roles.oid AND deptype = 'o') AS owned, "
            "(SELECT count(*) FROM pg_auth_members WHERE member = pg_roles.oid) AS memberships "
            "FROM pg_roles WHERE rolname = 'aichat_app'"
        )
    assert role is not None
    assert tuple(role) == (False, False, False, False, False, False, 0, 0)


@pytest.mark.parametrize(
    ("give", "take", "complaint"),
    [
        ("ALTER ROLE aichat_app BYPASSRLS", "ALTER ROLE aichat_app NOBYPASSRLS", "bypass"),
        ("GRANT postgres TO aichat_app", "REVOKE postgres FROM aichat_app", "bypass"),
        (
            "CREATE TABLE public.stray (); ALTER TABLE public.stray OWNER TO aichat_app",
            "DROP TABLE public.stray",
            "owns objects",
        ),
    ],
)
async def test_a_role_with_too_many_rights_is_refused(fresh: Fresh, give: str, take: str, complaint: str) -> None:
    app_url = fresh.url("aichat_app", "app")
    await migrate(fresh.url("supabase", "owner"), app_url)
    async with connection(fresh.server.owner_url) as superuser, open_database(app_url) as database:
        await superuser.execute(give)
        with pytest.raises(UnsafeRoleError, match=complaint):
            await check_role(database)
        await superuser.execute(take)
        await check_role(database)


async def test_the_tables_in_code_are_the_tables_in_the_database(postgres: Postgres) -> None:
    for module in pkgutil.walk_packages(aichat_server.__path__, "aichat_server."):
        if ".storage" in module.name:
            import_module(module.name)
    assert len(metadata.sorted_tables) > 20

    def columns(connection: Connection) -> None:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            stored = {column["name"]: column for column in found.get_columns(table.name, schema="aichat")}
            for column in table.columns:
                assert column.name in stored, f"{table.name}.{column.name}"
                there = stored[column.name]
                kind = column.type.compile(connection.dialect)
                assert there["type"].compile(connection.dialect) == kind, f"{table.name}.{column.name}"
                assert there["nullable"] == column.nullable, f"{table.name}.{column.name}"

    engine = create_async_engine(postgres.owner_url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as opened:
        await opened.run_sync(columns)
    await engine.dispose()


async def test_an_unreachable_database_is_reported(fresh: Fresh) -> None:
    with pytest.raises(AichatError) as caught:
        await migrate("postgresql://nobody:secret@127.0.0.1:1/postgres", fresh.url("aichat_app", "app"))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert "secret" not in caught.value.message


async def test_a_lock_that_others_hold_is_waited_for_in_bounded_time(fresh: Fresh) -> None:
    owner_url, app_url = fresh.url("supabase", "owner"), fresh.url("aichat_app", "app")
    await migrate(owner_url, app_url)
    async with connection(owner_url) as busy:
        await busy.execute("BEGIN; LOCK TABLE aichat.organizations IN ROW EXCLUSIVE MODE")
        with pytest.raises(AichatError, match="nothing was changed; run it again") as caught:
            await migrate(owner_url, app_url, lock_seconds=0.05)
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        await busy.execute("ROLLBACK")
    await migrate(owner_url, app_url)


async def test_a_migration_that_a_deadlock_ends_is_retried(fresh: Fresh) -> None:
    owner_url, app_url = fresh.url("supabase", "owner"), fresh.url("aichat_app", "app")
    await migrate(owner_url, app_url)
    ended = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"
    async with connection(fresh.server.owner_url) as superuser, connection(fresh.server.owner_url) as watcher:
        before = await watcher.fetchval(ended)
        # Of the two, Postgres aborts the migration.
        await superuser.execute("SET deadlock_timeout = '60s'")
        async with superuser.transaction():
            await superuser.execute("LOCK TABLE aichat.schema_versions IN ACCESS EXCLUSIVE MODE")
            migrating = asyncio.create_task(migrate(owner_url, app_url))
            waits = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'supabase' AND wait_event_type = 'Lock'"
            async with asyncio.timeout(30):
                while not await watcher.fetchval(waits):
                    await asyncio.sleep(0.01)
            await superuser.execute("SELECT pg_advisory_xact_lock(hashtext('aichat.migrations'))")
        await migrating
        async with asyncio.timeout(30):
            while await watcher.fetchval(ended) == before:
                await asyncio.sleep(0.05)
