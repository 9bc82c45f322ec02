"""Lists use their indexes, as the server's role, with many rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.conversations.storage.conversations import list_conversations
from aichat_server.conversations.storage.messages import list_messages
from aichat_server.core.pages import PageKey
from aichat_server.identity.domain.principals import Principal
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.base import PGDialect

from tests.fixtures.rows import connection

FILL = """
    INSERT INTO aichat.conversations (org_id, conversation_id, member_id, title, created_at, updated_at)
    SELECT $1, gen_random_uuid(), $2, 'Title ' || n, now(), now() - make_interval(secs => n)
    FROM generate_series(1, 5000) AS n;
"""
FILL_MESSAGES = """
    INSERT INTO aichat.messages (org_id, message_id, conversation_id, member_id, role, parts, state, created_at)
    SELECT $1, gen_random_uuid(), c.conversation_id, $2, 'user', '[]', 'complete', now() - make_interval(secs => n)
    FROM (SELECT * FROM aichat.conversations WHERE org_id = $1 ORDER BY updated_at LIMIT 5) AS c,
         generate_series(1, 1000) AS n
"""
PAGES = pytest.mark.parametrize("first", [True, False], ids=["first page", "later page"])


@pytest.fixture
async def conversation_id(postgres: Postgres, principal: Principal) -> UUID:
    """One of many conversations, with a fifth of many messages."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute(FILL, principal.org_id, principal.member_id)
        await owner.execute(FILL_MESSAGES, principal.org_id, principal.member_id)
        await owner.execute("ANALYZE aichat.conversations, aichat.messages")
        found = await owner.fetchval(
            "SELECT conversation_id FROM aichat.messages WHERE org_id = $1 LIMIT 1", principal.org_id
        )
    assert isinstance(found, UUID)
    return found


@PAGES
async def test_conversations_come_from_their_index(
    postgres: Postgres, principal: Principal, conversation_id: UUID, first: bool
) -> None:
    plan = await _plan(postgres, principal, list_conversations(principal.org_id, 51, _after(first)))
    assert "Index Scan Backward using conversations_by_update" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


@PAGES
async def test_messages_come_from_their_index(
    postgres: Postgres, principal: Principal, conversation_id: UUID, first: bool
) -> None:
    plan = await _plan(postgres, principal, list_messages(principal.org_id, conversation_id, 51, _after(first)))
    assert "Index Scan using messages_by_time" in plan
    assert "Sort" not in plan
    assert "Seq Scan on messages" not in plan


def _after(first: bool) -> PageKey | None:
    """No key, or one in the middle of the rows."""
    return None if first else PageKey(datetime.now(UTC) - timedelta(seconds=500), uuid4())


async def _plan(postgres: Postgres, principal: Principal, query: Select[tuple[object, ...]]) -> str:
    sql = str(
        query.compile(
            dialect=PGDialect(),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
    )
    async with connection(postgres.app_url) as app, app.transaction():
        await app.execute("SELECT set_config('aichat.org_id', $1, true)", str(principal.org_id))
        return "\n".join(row[0] for row in await app.fetch(f"EXPLAIN {sql}"))
