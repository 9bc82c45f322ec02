"""Every answer's end is reported and stored, whatever its vendor sent."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aichat.v1 import messages_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import ask, conversations, history, script, text_of

SECONDS = 60
COMPLETE = messages_pb2.MESSAGE_STATE_COMPLETE
USAGES: dict[str, dict[str, Any]] = {
    "a negative count": {"output_tokens": -1},
    "half an emoji": {"output_tokens": 3, "note": "half \ud83d"},
    "a NUL": {"output_tokens": 3, "no\0te": "a\0b"},
}


async def running(postgres: Postgres, key: ApiKey) -> int:
    """Returns how many generations of the key's organisation have not ended."""
    async with connection(postgres.owner_url) as owner:
        query = "SELECT count(*) FROM aichat.generations WHERE org_id = $1::text::uuid AND ended_at IS NULL"
        return int(await owner.fetchval(query, key.organization_id))


@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES)
async def test_whatever_a_vendor_counts_the_answer_is_sent_and_stored(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, usage: dict[str, Any]
) -> None:
    async with asyncio.timeout(SECONDS):
        events = await ask(server, api_key, script(deltas=["Four"], usage=usage))
    answer = events[-1].completed.message
    assert (text_of(events), answer.parts[0].text.text) == ("Four", "Four")
    assert answer.stop_reason == messages_pb2.STOP_REASON_END_TURN
    assert 0 < answer.usage.output_tokens < 100
    assert await running(postgres, api_key) == 0


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "gpt-6-luna", "gemini-3.8-flash"])
@pytest.mark.parametrize("said", [[], ["\n"]], ids=["nothing", "white space"])
async def test_an_answer_without_a_visible_word_is_one(
    server: ServerUnderTest, api_key: ApiKey, model: str, said: list[str]
) -> None:
    first = (await ask(server, api_key, script(deltas=["one"]), model=model))[0].started
    request = {"model": model, "conversation_id": first.conversation_id, "request_id": str(uuid4())}
    text = script(reasoning=["Let me think"], deltas=said, stop="max_tokens")
    events = await ask(server, api_key, text, **request)
    answer = events[-1].completed.message
    assert (answer.stop_reason, answer.state) == (messages_pb2.STOP_REASON_MAX_TOKENS, COMPLETE)
    assert [part.WhichOneof("kind") for part in answer.parts] == ["reasoning", *("text" for _ in said)]
    assert [part.text.text for part in answer.parts[1:]] == said
    assert answer.usage.output_tokens > 0
    again = await ask(server, api_key, text, **request)
    assert (text_of(again), again[-1].completed.message) == (text_of(events), answer)
    assert (await history(server, api_key, first.conversation_id))[-1] == answer
    (conversation,) = await conversations(server, api_key)
    assert conversation.head_message_id == answer.message_id
