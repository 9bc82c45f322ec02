"""Promise 15: a database that disappears, hangs, or drops its connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_server.conversations.domain import Conversation
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.storage.conversations import ConversationRepository
from aichat_server.core.database import pool
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.database.role import check_role
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository

from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually
from tests.integration.conversations.turns import Turns, completed, exchange, turn


async def _unavailable(call: Awaitable[object]) -> None:
    with pytest.raises(AichatError) as caught:
        await call
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert caught.value.retry_after is not None
    assert caught.value.__cause__ is not None


async def _open(url: str) -> None:
    async with open_database(url):
        pass


async def test_calls_fail_with_a_typed_error_when_it_disappears(folder: Path) -> None:
    principal = Principal(uuid4(), uuid4())
    conversation_id = uuid4()
    server = run_postgres(folder)
    postgres = await server.__aenter__()
    await migrate(postgres.owner_url, postgres.app_url)
    async with open_database(postgres.app_url) as database:
        async with database.session(principal.org_id, principal.actor) as session:
            await OrganizationRepository(session).ensure("Test", principal.member_id)
        begun = await Turns(database).begin(turn(principal))
        await server.__aexit__(None, None, None)
        for _ in range(2):
            await _unavailable(Turns(database).begin(turn(principal)))
            await _unavailable(Turns(database).end(completed(principal, begun)))
            await _unavailable(Conversations(database).get(principal, conversation_id))
            await _unavailable(check_role(database))
    await _unavailable(_open(postgres.app_url))


async def test_a_read_only_database_is_left_for_a_writable_one(folder: Path) -> None:
    principal = Principal(uuid4(), uuid4())
    async with run_postgres(folder) as postgres, connection(postgres.owner_url) as owner:
        await migrate(postgres.owner_url, postgres.app_url)
        await owner.execute("ALTER ROLE aichat_app SET default_transaction_read_only = on")
        async with open_database(postgres.app_url) as database:
            conversations = Conversations(database)
            await _unavailable(Turns(database).begin(turn(principal)))
            await _unavailable(conversations.create(principal, "Never"))
            # As after a failover: existing connections still lead to the one that accepts no writes.
            await owner.execute("ALTER ROLE aichat_app RESET default_transaction_read_only")
            async with database.session(principal.org_id, principal.actor) as session:
                await OrganizationRepository(session).ensure("Test", principal.member_id)
            await exchange(database, principal)


async def _drop_connections(postgres: Postgres) -> None:
    """Ends every connection of the server's role, and waits until they are closed."""
    async with connection(postgres.owner_url) as owner:
        pids = await owner.fetchval("SELECT array_agg(pid) FROM pg_stat_activity WHERE usename = 'aichat_app'")
        await owner.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid", pids)
        # By pid, since the server's pool opens new ones at once.
        while await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)", pids):
            await asyncio.sleep(0)


async def test_dropped_connections_are_replaced(postgres: Postgres, database: Database, principal: Principal) -> None:
    answer = await exchange(database, principal)
    conversations = Conversations(database)
    before = await conversations.get(principal, answer.conversation_id)
    await _drop_connections(postgres)

    async def get() -> Conversation | None:
        try:
            return await conversations.get(principal, answer.conversation_id)
        except AichatError as error:
            if error.reason is not Reason.STORAGE_UNAVAILABLE:
                raise
            # The pool has not yet noticed the end of the connection.
            return None

    assert await eventually(get, bool) == before
    await exchange(database, principal, conversation_id=answer.conversation_id)


async def test_a_transaction_that_loses_its_connection_fails_typed_and_leaves_nothing(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    async def lose() -> None:
        async with database.session(principal.org_id, principal.actor) as session:
            await ConversationRepository(session).create(uuid4(), principal.member_id, "Lost")
            await _drop_connections(postgres)

    await _unavailable(lose())
    assert (await Conversations(database).list(principal, 10)).items == ()


async def test_an_error_inside_a_transaction_takes_it_back(database: Database, principal: Principal) -> None:
    async def fail() -> None:
        async with database.session(principal.org_id, principal.actor) as session:
            await ConversationRepository(session).create(uuid4(), principal.member_id, "Never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await Conversations(database).list(principal, 10)).items == ()


async def test_a_database_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        await _unavailable(_open(f"postgresql://aichat_app:secret@127.0.0.1:{port}/postgres"))


async def test_a_wrong_password_is_named_and_not_shown(postgres: Postgres) -> None:
    with pytest.raises(AichatError) as caught:
        await _open(postgres.app_url.replace(postgres.app_password, "wrong-secret"))
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert "password authentication failed" in str(caught.value.__cause__)
    assert "wrong-secret" not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("prepared_statements", [True, False])
async def test_behind_a_pooler_no_statement_has_a_name(
    postgres: Postgres, principal: Principal, prepared_statements: bool
) -> None:
    before = len(postgres.log.read_bytes())
    async with connection(postgres.owner_url) as owner:
        await owner.execute("ALTER ROLE aichat_app SET log_statement = 'all'")
        try:
            async with open_database(postgres.app_url, prepared_statements=prepared_statements) as database:
                answer = await exchange(database, principal)
                conversations = Conversations(database)
                for _ in range(2):
                    await conversations.list_messages(principal, answer.conversation_id, 10)
                    await exchange(database, principal, conversation_id=answer.conversation_id)
        finally:
            await owner.execute("ALTER ROLE aichat_app RESET log_statement")
    log = postgres.log.read_bytes()[before:].decode()
    assert ("execute <unnamed>: SELECT path, known, unchecked FROM aichat.begin_turn" in log) is not prepared_statements
    assert ("execute __asyncpg" in log) is prepared_statements
