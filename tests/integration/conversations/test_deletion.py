"""What is deleted is gone: no word of a conversation remains."""

from __future__ import annotations

from uuid import UUID, uuid4

from aichat.v1 import conversations_pb2, options_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import ask, script, started_of

_TABLES = """
    SELECT table_name FROM information_schema.columns
    WHERE table_schema = 'aichat' AND column_name = 'org_id' AND table_name NOT LIKE 'usage_events_%'
"""


async def mentions(postgres: Postgres, org_id: UUID, words: str) -> set[str]:
    """Returns the tables that have the words in a row of the organisation."""
    found = set()
    async with connection(postgres.owner_url) as owner:
        for row in await owner.fetch(_TABLES):
            table = row["table_name"]
            query = f"SELECT count(*) FROM aichat.{table} AS t WHERE org_id = $1 AND t::text LIKE '%' || $2 || '%'"  # noqa: S608
            if await owner.fetchval(query, org_id, words):
                found.add(table)
    return found


async def test_no_word_of_a_conversation_outlives_it(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres
) -> None:
    words, org_id = f"words-{uuid4().hex}", UUID(api_key.organization_id)
    options = options_pb2.ChatOptions(system_prompt=words)
    events = await ask(server, api_key, script(deltas=[words]), options=options)
    assert await mentions(postgres, org_id, words) == {"messages", "conversations"}
    conversation_id = started_of(events).conversation_id
    request = conversations_pb2.DeleteConversationRequest(conversation_id=conversation_id)
    await server.conversations.DeleteConversation(request, metadata=api_key.metadata)
    assert await mentions(postgres, org_id, words) == set()
    kept = {"generations", "turns", "usage_events"}
    assert await mentions(postgres, org_id, started_of(events).generation_id) == kept
