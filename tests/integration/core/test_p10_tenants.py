"""Promise 10: a tenant cannot read or write another's rows, with any query, as the real database role."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.usage import Usage
from aichat_server.usage.service.rollups import Rollups

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, failed, turn
from tests.integration.core.filled import filled_tenant
from tests.integration.core.tables import OWNED_BY, TIMES

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'aichat'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f') "
    "AND NOT relispartition"
)


@dataclass
class Tenants:
    """Two organisations with a row in every table, and two connections."""

    ours: Principal
    theirs: Principal
    app: Connection
    owner: Connection
    tables: dict[str, str]
    """Every table with rows of tenants, and the column that names the owner."""

    async def enter(self, principal: Principal) -> None:
        await self.app.execute(
            "SELECT set_config('aichat.org_id', $1, true), set_config('aichat.member_id', $2, true)",
            str(principal.org_id),
            str(principal.member_id),
        )

    def id_of(self, principal: Principal, table: str) -> UUID:
        return principal.member_id if self.tables[table] == "user_id" else principal.org_id


@pytest.fixture
async def tenants(postgres: Postgres, database: Database) -> AsyncGenerator[Tenants, None]:
    ours, theirs = [await filled_tenant(database) for _ in range(2)]
    await Rollups(database).run(datetime.now(UTC) + timedelta(hours=2))
    for principal in (ours, theirs):
        begun = await Turns(database).begin(turn(principal))
        await Turns(database).end(replace(failed(principal, begun), usage=Usage()))
    async with connection(postgres.owner_url) as owner, connection(postgres.app_url) as app:
        names = [row["relname"] for row in await owner.fetch(TABLES)]
        owned = {name: OWNED_BY.get(name, "org_id") for name in names}
        tables = {name: column for name, column in owned.items() if column}
        async with app.transaction():
            yield Tenants(ours, theirs, app, owner, tables)


async def test_every_table_has_row_level_security_forced_on_its_owner_too(tenants: Tenants) -> None:
    flags = await tenants.owner.fetch(
        "SELECT relname, relkind::text, relrowsecurity, relforcerowsecurity FROM pg_class "
        "WHERE relnamespace = 'aichat'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f') AND NOT relispartition "
        "ORDER BY 1"
    )
    forced = {tuple(row) for row in flags if row["relname"] in tenants.tables}
    assert forced == {(name, "p" if name == "usage_events" else "r", True, True) for name in tenants.tables}
    # Everybody may read plans, prices and the schema's versions, and only the owner may write them. The payment
    # provider's events and the jobs' record belong to the work list, and the limits and sums of the whole platform to
    # every turn.
    others = {row["relname"]: row["relforcerowsecurity"] for row in flags if row["relname"] not in tenants.tables}
    forced_too = {"job_runs", "stripe_events", "free_usage", "platform_limits"}
    assert {name for name, is_forced in others.items() if is_forced} == forced_too
    assert others.keys() == {name for name, column in OWNED_BY.items() if column is None}
    assert all(row["relrowsecurity"] for row in flags)


async def test_a_query_without_a_filter_sees_the_tenants_rows_and_no_others(tenants: Tenants) -> None:
    await tenants.enter(tenants.ours)
    for table, column in tenants.tables.items():
        mine, other = (tenants.id_of(who, table) for who in (tenants.ours, tenants.theirs))
        count = f"SELECT count(*) FROM aichat.{table} WHERE {column} = $1"  # noqa: S608
        assert await tenants.owner.fetchval(count, other), f"filled_tenant() leaves {table} empty"
        stored = await tenants.owner.fetchval(count, mine)
        seen = [row[column] for row in await tenants.app.fetch(f"SELECT * FROM aichat.{table}")]  # noqa: S608
        assert seen == [mine] * stored, table
        assert await tenants.app.fetchval(count, other) == 0, table


async def test_without_a_tenant_nothing_is_visible(postgres: Postgres, tenants: Tenants) -> None:
    async with connection(postgres.app_url) as app:
        for table in tenants.tables:
            assert await app.fetch(f"SELECT * FROM aichat.{table}") == [], table  # noqa: S608
        async with app.transaction():
            await app.execute("SELECT set_config('aichat.org_id', $1, true)", str(tenants.ours.org_id))
            assert await app.fetch("SELECT * FROM aichat.organizations")
        # The setting has expired, and reads '' from now on.
        for table in tenants.tables:
            assert await app.fetch(f"SELECT * FROM aichat.{table}") == [], table  # noqa: S608


async def test_the_work_lists_show_ids_and_times_only_to_jobs_and_are_read_only(
    postgres: Postgres, tenants: Tenants
) -> None:
    columns = await tenants.owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'aichat' AND table_name = 'leases'"
    )
    assert {row["column_name"] for row in columns} == {"org_id", "generation_id", "expires_at"}
    both = {tenants.ours.org_id, tenants.theirs.org_id}
    async with connection(postgres.app_url) as app, app.transaction():
        await app.execute("SELECT set_config('aichat.work_list', 'on', true)")
        lists = (
            "listed_organizations",
            "leases",
            "open_hours",
            "outbox",
            "blocked_invoices",
            "unpaid_invoices",
            "billing_accounts",
        )
        for table in lists:
            listed = await app.fetch(f"SELECT org_id FROM aichat.{table}")  # noqa: S608
            assert both <= {row["org_id"] for row in listed}, table
        for table in tenants.tables.keys() - set(lists):
            assert await app.fetch(f"SELECT * FROM aichat.{table}") == [], table  # noqa: S608
        assert await app.execute("UPDATE aichat.organizations SET plan = 'team'") == "UPDATE 0"
        statements = (
            "UPDATE aichat.leases SET expires_at = now()",
            "DELETE FROM aichat.leases",
            "DELETE FROM aichat.open_hours",
            "DELETE FROM aichat.outbox",
        )
        for statement in statements:
            assert (await app.execute(statement)).split()[1] == "0"
        # Inside a tenant the lists are invisible.
        await app.execute("SELECT set_config('aichat.org_id', $1, true)", str(tenants.ours.org_id))
        for table in ("organizations", "listed_organizations", "leases"):
            seen = await app.fetch(f"SELECT org_id FROM aichat.{table}")  # noqa: S608
            assert [row["org_id"] for row in seen] == [tenants.ours.org_id], table


async def test_the_work_lists_have_only_ids_times_and_counts(tenants: Tenants) -> None:
    columns = await tenants.owner.fetch(
        "SELECT tablename || '.' || attname AS name, format_type(atttypid, NULL) AS type "
        "FROM pg_policies JOIN pg_attribute ON attrelid = ('aichat.' || tablename)::regclass AND attnum > 0 "
        "WHERE schemaname = 'aichat' AND policyname = 'work_list' AND NOT attisdropped"
    )
    # What belongs to no tenant reveals none: the payment provider's events, and the jobs' record.
    told = {
        row["name"]: row["type"] for row in columns if row["name"].split(".")[0] not in ("stripe_events", "job_runs")
    }
    assert {"organizations.name", "organizations.contact_email"}.isdisjoint(told)
    plain = {"uuid", "timestamp with time zone", "integer", "bigint"}
    other = {name for name, kind in told.items() if kind not in plain and not name.endswith("_id")}
    assert other == {"outbox.kind"}


async def test_another_tenants_rows_cannot_be_changed_or_deleted(tenants: Tenants) -> None:
    await tenants.enter(tenants.ours)
    for table, column in tenants.tables.items():
        mine = tenants.id_of(tenants.ours, table)
        count = await tenants.owner.fetchval(f"SELECT count(*) FROM aichat.{table} WHERE {column} = $1", mine)  # noqa: S608
        time = TIMES.get(table, "created_at")
        # Statements that read no column are subject only to the policy of their own kind.
        for statement in (f"UPDATE aichat.{table} SET {time} = now()", f"DELETE FROM aichat.{table}"):  # noqa: S608
            outcome = await _try(tenants.app, statement)
            # Referenced messages stay for that reason alone.
            if not isinstance(outcome, asyncpg.InsufficientPrivilegeError | asyncpg.ForeignKeyViolationError):
                assert outcome == f"{statement.split()[0]} {count}", statement


async def test_the_servers_role_has_no_way_past_the_policies(tenants: Tenants) -> None:
    # TRUNCATE and the check of a foreign key ignore policies.
    granted = await tenants.owner.fetch(
        "SELECT table_name FROM information_schema.role_table_grants WHERE table_schema = 'aichat' "
        "AND grantee IN ('aichat_app', 'PUBLIC') AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')"
    )
    assert granted == []


async def test_rows_cannot_be_put_into_another_tenant(tenants: Tenants) -> None:
    await tenants.enter(tenants.ours)
    for table, column in tenants.tables.items():
        other = tenants.id_of(tenants.theirs, table)
        row = await tenants.owner.fetchval(
            f"SELECT to_jsonb(t) FROM aichat.{table} AS t WHERE {column} = $1 LIMIT 1",  # noqa: S608
            other,
        )
        insert = f"INSERT INTO aichat.{table} SELECT * FROM jsonb_populate_record(null::aichat.{table}, $1)"  # noqa: S608
        error = await _try(tenants.app, insert, row)
        assert isinstance(error, asyncpg.InsufficientPrivilegeError), (table, error)
        assert "row-level security" in str(error), table
        error = await _try(tenants.app, f"UPDATE aichat.{table} SET {column} = $1", other)  # noqa: S608
        assert isinstance(error, asyncpg.InsufficientPrivilegeError), (table, error)


async def test_users_are_visible_to_their_colleagues_and_changed_by_themselves_alone(tenants: Tenants) -> None:
    colleague = uuid4()
    await tenants.enter(Principal(tenants.theirs.org_id, colleague))
    assert [row["user_id"] for row in await tenants.app.fetch("SELECT * FROM aichat.users")] == [
        tenants.theirs.member_id
    ]
    assert await tenants.app.execute("UPDATE aichat.users SET email = 'taken@example.com'") == "UPDATE 0"
    await tenants.enter(tenants.theirs)
    assert await tenants.app.execute("UPDATE aichat.users SET email = 'mine@example.com'") == "UPDATE 1"


async def test_the_policies_apply_to_the_tables_owner_too(tenants: Tenants) -> None:
    arrangement = tenants.owner.transaction()
    await arrangement.start()
    await tenants.owner.execute("CREATE ROLE plain_owner; GRANT ALL ON SCHEMA aichat TO plain_owner")
    for table in tenants.tables:
        await tenants.owner.execute(f"ALTER TABLE aichat.{table} OWNER TO plain_owner")
    await tenants.owner.execute("SET LOCAL ROLE plain_owner")
    for table in tenants.tables:
        assert await tenants.owner.fetch(f"SELECT * FROM aichat.{table}") == [], table  # noqa: S608
    await arrangement.rollback()


async def test_functions_run_as_their_caller_and_for_the_server_alone(tenants: Tenants) -> None:
    functions = await tenants.owner.fetch(
        "SELECT proname, prosecdef, has_function_privilege('aichat_app', oid, 'EXECUTE') AS app, "
        "proacl::text LIKE '%{=X%' OR proacl IS NULL AS everyone "
        "FROM pg_proc WHERE pronamespace = 'aichat'::regnamespace"
    )
    assert {row["proname"] for row in functions} >= {"begin_turn", "end_turn"}
    assert {(row["app"], row["everyone"]) for row in functions} == {(True, False)}
    # It takes no arguments, returns a number, and creates partitions, which is the owner's right.
    assert {row["proname"] for row in functions if row["prosecdef"]} == {"extend_books"}


async def _try(app: Connection, statement: str, *arguments: object) -> str | asyncpg.PostgresError:
    """Runs a statement and rolls it back; returns its result or its error."""
    savepoint = app.transaction()
    await savepoint.start()
    try:
        return await app.execute(statement, *arguments)
    except asyncpg.PostgresError as error:
        return error
    finally:
        await savepoint.rollback()
