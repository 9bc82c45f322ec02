"""Promise 10: a tenant cannot read or write another's rows, since the server's role cannot become the tables' owner."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg
import pytest
from aichat_sandbox.owner import make_owner
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_sandbox.supervisor import Supervisor
from aichat_server.core.database.database import open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.database.role import UnsafeRoleError, check_role

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import connection

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
REFUSED = asyncpg.InsufficientPrivilegeError
NEXT_MONTHS = "SELECT aichat.extend_books()"


@dataclass(frozen=True, slots=True)
class Owned:
    """A Postgres migrated by the same owner as in compose and the sandbox."""

    server: Postgres
    owner_url: str = field(repr=False)

    @asynccontextmanager
    async def taken_back(self) -> AsyncGenerator[tuple[Connection, Connection], None]:
        """The superuser in a transaction that is rolled back, and the server's role."""
        async with connection(self.server.owner_url) as superuser, connection(self.server.app_url) as app:
            arrangement = superuser.transaction()
            await arrangement.start()
            yield superuser, app
            await arrangement.rollback()


@pytest.fixture(scope="module")
async def owned(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Owned, None]:
    with postgres_folder() as folder:
        async with run_postgres(folder) as server, Supervisor(tmp_path_factory.mktemp("logs")) as supervisor:
            owner_url = await make_owner(supervisor, server, {})
            await migrate(owner_url, server.app_url)
            yield Owned(server, owner_url)


async def test_the_owner_is_no_superuser_and_owns_all_of_it(owned: Owned) -> None:
    async with connection(owned.server.owner_url) as superuser:
        role = await superuser.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'aichat_owner'")
        assert role is not None
        assert tuple(role) == (False, False)
        owners = await superuser.fetch(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'aichat'::regnamespace "
            "UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'aichat'::regnamespace "
            "UNION SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
        )
    assert [row[0] for row in owners] == ["aichat_owner"]


async def test_a_superusers_schema_is_handed_over(tmp_path_factory: pytest.TempPathFactory) -> None:
    with postgres_folder() as folder:
        async with run_postgres(folder) as server, Supervisor(tmp_path_factory.mktemp("logs")) as supervisor:
            await migrate(server.owner_url, server.app_url)
            for _ in range(2):
                owner_url = await make_owner(supervisor, server, {})
                await migrate(owner_url, server.app_url)
            async with open_database(server.app_url) as database:
                await check_role(database)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE organizations (org_id uuid)",
        "CREATE TYPE pg_temp.timestamptz AS (x int)",
        "CREATE DOMAIN pg_temp.integer AS pg_catalog.int4",
        "CREATE FUNCTION pg_temp.now() RETURNS pg_catalog.timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "CREATE OPERATOR pg_temp.+ (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = timestamptz_pl_interval)",
        "CREATE SCHEMA mine",
        "CREATE TABLE aichat.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE FUNCTION aichat.add_month(timestamp) RETURNS void LANGUAGE sql AS ''",
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "CREATE EXTENSION pg_trgm",
        "CREATE ROLE mine SUPERUSER",
        "ALTER ROLE aichat_app SUPERUSER",
        "ALTER ROLE aichat_app BYPASSRLS",
        "ALTER ROLE aichat_app CREATEROLE",
        "GRANT aichat_owner TO aichat_app",
        "SET ROLE aichat_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION aichat_owner",
        "ALTER FUNCTION aichat.extend_books() OWNER TO aichat_app",
        "ALTER TABLE aichat.messages OWNER TO aichat_app",
        "ALTER TABLE aichat.messages DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON aichat.messages",
        "CREATE POLICY mine ON aichat.messages USING (true)",
        "CREATE TRIGGER mine BEFORE INSERT ON aichat.usage_events_rest FOR EACH ROW EXECUTE FUNCTION aichat.answer()",
        "SELECT aichat.protect('organizations')",
        "SELECT aichat.list_work('messages')",
        "SELECT aichat.add_month('2031-01-01 00:00:00Z')",
    ],
)
async def test_the_servers_role_makes_nothing_of_its_own_and_becomes_nobody(owned: Owned, statement: str) -> None:
    async with connection(owned.server.app_url) as app:
        # A statement that is refused before its rights are checked is refused all the same.
        with pytest.raises((REFUSED, asyncpg.SyntaxOrAccessError, asyncpg.FeatureNotSupportedError)):
            await app.execute(statement)
        assert await app.fetchval("SELECT current_user") == "aichat_app"


@pytest.mark.parametrize(
    "trap",
    [
        "CREATE DOMAIN pg_temp.timestamptz AS pg_catalog.timestamptz CHECK (pg_temp.spring())",
        "CREATE DOMAIN pg_temp.int4 AS pg_catalog.int4 CHECK (pg_temp.spring())",
        "CREATE DOMAIN pg_temp.interval AS pg_catalog.interval CHECK (pg_temp.spring())",
        "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.spring())",
        "CREATE VIEW pg_temp.pg_class AS SELECT 1 AS one WHERE pg_temp.spring()",
        "CREATE FUNCTION pg_temp.to_regclass(text) RETURNS bool LANGUAGE sql AS 'SELECT pg_temp.spring()'",
    ],
)
@pytest.mark.parametrize("path", ["pg_temp, pg_catalog", "pg_temp", "''"])
async def test_temporary_objects_of_its_own_do_not_run_as_the_owner(owned: Owned, trap: str, path: str) -> None:
    """If the database has another owner, temporary objects cannot be forbidden to the server's role."""
    async with connection(owned.server.owner_url) as superuser, connection(owned.server.app_url) as app:
        await superuser.execute("GRANT TEMPORARY ON DATABASE postgres TO aichat_app")
        try:
            await app.execute("CREATE TEMPORARY TABLE caught (name text)")
            await app.execute(
                "CREATE FUNCTION pg_temp.spring() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "
                "IF current_user <> 'aichat_app' THEN RAISE EXCEPTION 'caught'; END IF; RETURN true; END $$"
            )
            await app.execute(trap)
            await app.execute(f"SET search_path = {path}")
            assert await app.fetchval(NEXT_MONTHS) == 0
        finally:
            await superuser.execute("REVOKE TEMPORARY ON DATABASE postgres FROM aichat_app")


async def test_a_role_that_may_create_among_the_tables_is_refused(owned: Owned) -> None:
    async with connection(owned.server.owner_url) as superuser, open_database(owned.server.app_url) as database:
        await superuser.execute("GRANT CREATE ON SCHEMA aichat TO aichat_app")
        with pytest.raises(UnsafeRoleError, match="may create"):
            await check_role(database)
        await superuser.execute("REVOKE CREATE ON SCHEMA aichat FROM aichat_app")
        await check_role(database)


async def test_functions_with_the_owners_rights_look_up_names_in_the_catalogue_first(owned: Owned) -> None:
    async with connection(owned.server.owner_url) as superuser:
        found = await superuser.fetch(
            "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'aichat'::regnamespace AND prosecdef"
        )
    assert {row["proname"] for row in found} == {"extend_books"}
    assert all("search_path=pg_catalog, pg_temp" in row["proconfig"] for row in found)


async def test_the_months_to_come_are_made_with_the_owners_rights(owned: Owned) -> None:
    async with owned.taken_back() as (superuser, _):
        await superuser.execute("DROP TABLE " + await _last_month(superuser))
        await superuser.execute("SET LOCAL ROLE aichat_app")
        assert await superuser.fetchval(NEXT_MONTHS) == 1


async def test_transactions_of_a_vanished_process_end_soon(owned: Owned) -> None:
    names = ("client_connection_check_interval", "idle_in_transaction_session_timeout", "statement_timeout")

    async def found() -> list[str]:
        async with connection(owned.server.app_url) as app:
            return [await app.fetchval(f"SHOW {name}") for name in names]

    assert await found() == ["5s", "10s", "30s"]
    async with connection(owned.owner_url) as owner:
        await owner.execute("ALTER ROLE aichat_app SET statement_timeout = '20s'")
        await migrate(owned.owner_url, owned.server.app_url)
        assert await found() == ["5s", "10s", "20s"], "what the operator has set stays"
        await owner.execute("ALTER ROLE aichat_app RESET statement_timeout")
        await migrate(owned.owner_url, owned.server.app_url)
    assert await found() == ["5s", "10s", "30s"]


async def test_a_role_that_is_somebody_elses_keeps_its_settings(owned: Owned) -> None:
    without_password = owned.server.app_url.replace(f":{owned.server.app_password}", "")
    async with connection(owned.server.owner_url) as superuser:
        await superuser.execute("ALTER ROLE aichat_app RESET ALL")
        await superuser.execute("REVOKE ADMIN OPTION FOR aichat_app FROM aichat_owner")
        try:
            await migrate(owned.owner_url, without_password)
            settings = await superuser.fetchval("SELECT rolconfig FROM pg_roles WHERE rolname = 'aichat_app'")
        finally:
            await superuser.execute("GRANT aichat_app TO aichat_owner WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
        assert settings is None
    await migrate(owned.owner_url, owned.server.app_url)


async def _last_month(superuser: Connection) -> str:
    return str(
        await superuser.fetchval(
            "SELECT max(inhrelid::regclass::text) FROM pg_inherits "
            "WHERE inhparent = 'aichat.usage_events'::regclass AND inhrelid::regclass::text LIKE '%\\_2%'"
        )
    )
