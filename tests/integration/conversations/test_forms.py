"""Answers by a schema, and forms that no vendor accepts."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

from aichat.v1 import chat_pb2, messages_pb2, options_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.generations.service.answer_check import MOST_STEPS_HERE

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import ask, asking, conversations, history, refusal, script, stream

SCHEMA = json.dumps({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
OPTIONS = options_pb2.ChatOptions(response_format=options_pb2.ResponseFormat(json_schema=SCHEMA))


async def test_an_answer_that_follows_the_schema_completes(server: ServerUnderTest, api_key: ApiKey) -> None:
    events = await ask(server, api_key, script(deltas=['{"city":', ' "Bonn"}']), options=OPTIONS)
    assert events[-1].completed.message.parts[0].text.text == '{"city": "Bonn"}'


async def test_an_answer_that_breaks_the_schema_fails_is_stored_and_is_charged(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres
) -> None:
    large = json.dumps({**json.loads(SCHEMA), "$defs": {"n": {"enum": list(range(4_000))}}})
    # The second is checked by a process of its own.
    for schema, words in ((SCHEMA, 3), (large, MOST_STEPS_HERE // 4_000)):
        form = options_pb2.ChatOptions(response_format=options_pb2.ResponseFormat(json_schema=schema))
        sent = {"options": form, "request_id": str(uuid4())}
        text = script(deltas=['{"town": "', "x" * words, '"}'])
        first = await refusal(stream(server, api_key, text, **sent))
        started = next(event.started for event in first.seen if event.HasField("started"))
        again = await refusal(stream(server, api_key, text, **sent))
        resume = chat_pb2.ResumeChatRequest(generation_id=started.generation_id)
        resumed = await refusal(server.chat.ResumeChat(resume, metadata=api_key.metadata))
        place = {"generation_id": started.generation_id, "conversation_id": started.conversation_id}
        for failed in (first, again, resumed):
            assert (failed.reason, failed.metadata) == ("ANSWER_INVALID", {"provider": "openai", **place})
            assert failed.message == first.message
        stored = (await history(server, api_key, started.conversation_id))[-1]
        assert stored.state == messages_pb2.MESSAGE_STATE_FAILED
        assert "".join(part.text.text for part in stored.parts).endswith('"}')
    async with connection(postgres.owner_url) as owner:
        query = "SELECT cost_nano_usd, error_reason FROM aichat.usage_events WHERE org_id = $1"
        booked = await owner.fetch(query, UUID(api_key.organization_id))
    assert [row["error_reason"] for row in booked] == ["ANSWER_INVALID"] * 2
    assert all(row["cost_nano_usd"] > 0 for row in booked)


async def test_an_answer_that_is_cut_short_is_not_checked(server: ServerUnderTest, api_key: ApiKey) -> None:
    options = options_pb2.ChatOptions(response_format=OPTIONS.response_format, max_output_tokens=2)
    events = await ask(server, api_key, script(words=20), options=options)
    assert events[-1].completed.message.stop_reason == messages_pb2.STOP_REASON_MAX_TOKENS


async def test_p07_a_form_that_no_vendor_accepts_leaves_nothing(server: ServerUnderTest, api_key: ApiKey) -> None:
    tool = options_pb2.Tool(name="look", parameters='{"type": "object", "properties": {"a": {"$ref": "#"}}}')
    choice = options_pb2.ToolChoice(mode=options_pb2.TOOL_CHOICE_MODE_REQUIRED)
    forms = (
        options_pb2.ChatOptions(tools=[tool]),
        options_pb2.ChatOptions(tool_choice=choice),
        options_pb2.ChatOptions(response_format=options_pb2.ResponseFormat(json_schema="[]")),
    )
    calls = (server.chat.StreamChat(asking("Hello", options=form), metadata=api_key.metadata) for form in forms)
    refusals = await asyncio.gather(*map(refusal, calls))
    assert {failed.reason for failed in refusals} == {"REQUEST_INVALID"}
    assert await conversations(server, api_key) == []
