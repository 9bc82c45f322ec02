"""Promises 1, 3, 4, 5 and 7 for answers that call tools."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from uuid import uuid4

import pytest
from aichat.v1 import chat_pb2, messages_pb2, options_pb2, parts_pb2

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    Event,
    asking,
    conversations,
    history,
    refusal,
    script,
    started_of,
    text_of,
    times_asked,
)
from tests.integration.generations.replicas.following import Resumed, cancel, everything, resume, wire

MODELS = ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"]
MODEL = "claude-sonnet-5-5"
TOOLS = options_pb2.ChatOptions(tools=[options_pb2.Tool(name=name, description="A tool.") for name in ("add", "look")])
ADDED = '{"n": 1, "of": "Grüße"}'


def calling(*arguments: str, pieces: int = 4, **more: object) -> str:
    """Returns a unique script of an answer that calls a tool with each of the arguments."""
    tools = [{"name": "add", "arguments": text, "pieces": pieces} for text in arguments]
    return script(**{"deltas": ["Let me ", "see."], "interval_ms": 10, "tools": tools, **more}) + str(uuid4())


def sent(server: ServerUnderTest, key: ApiKey, request: chat_pb2.StreamChatRequest) -> Resumed:
    request.options.CopyFrom(TOOLS)
    return server.chat.StreamChat(request, metadata=key.metadata)  # type: ignore[return-value]


def following(
    answer: messages_pb2.Message, parts: Iterable[messages_pb2.Part], request_id: str = ""
) -> chat_pb2.StreamChatRequest:
    """Returns a message that follows the answer."""
    place = {"conversation_id": answer.conversation_id, "parent_message_id": answer.message_id}
    return chat_pb2.StreamChatRequest(model=MODEL, parts=parts, request_id=request_id, **place)  # type: ignore[arg-type]


def results(answer: messages_pb2.Message) -> list[messages_pb2.Part]:
    """Returns a result for each call."""
    text = messages_pb2.ResultPart(text=messages_pb2.TextPart(text="A result"))
    ids = [part.tool_call.call_id for part in answer.parts if part.HasField("tool_call")]
    made = [messages_pb2.ToolResultPart(call_id=call_id, parts=[text]) for call_id in ids]
    return [messages_pb2.Part(tool_result=result) for result in made]


def ended_call(events: Sequence[Event]) -> parts_pb2.ToolCallPart:
    """Returns the one call of an answer."""
    (call,) = [event.tool_call_ended.call for event in events if event.HasField("tool_call_ended")]
    return call


async def stream_and_resume(
    writer: ServerUnderTest, reader: ServerUnderTest, key: ApiKey, request: chat_pb2.StreamChatRequest
) -> list[Event]:
    """Returns the events of an answer, once they were resumed behind each of them on both replicas."""
    seen: list[Event] = []
    resumed = []
    async for event in sent(writer, key, request):
        seen.append(event)
        resumed += [
            asyncio.create_task(everything(resume(server, key, started_of(seen).generation_id, event.sequence)))
            for server in (writer, reader)
        ]
    for number, rest in enumerate(await asyncio.gather(*resumed)):
        assert rest == wire([event for event in seen if event.sequence > number // 2 + 1])
    return seen


@pytest.mark.parametrize("model", MODELS)
async def test_calls_stream_and_can_be_resumed_at_every_event(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, model: str
) -> None:
    seen = await stream_and_resume(writer, reader, api_key, asking(calling(ADDED), model=model))
    (started,) = [event.tool_call_started for event in seen if event.HasField("tool_call_started")]
    deltas = [event.tool_call_delta for event in seen if event.HasField("tool_call_delta")]
    call = ended_call(seen)
    assert (started.call_id, started.name) == (call.call_id, call.name) == (deltas[0].call_id, "add")
    assert "".join(delta.arguments for delta in deltas) == call.arguments
    assert not call.arguments_invalid
    answer = seen[-1].completed.message
    assert answer.stop_reason == messages_pb2.STOP_REASON_TOOL_USE
    assert [part.tool_call for part in answer.parts if part.HasField("tool_call")] == [call]
    assert (await history(reader, api_key, answer.conversation_id))[1:] == [answer]


async def test_p01_calls_outlive_their_events_and_every_retry_until_they_have_results(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text, request_id = calling(ADDED), str(uuid4())
    request = asking(text, model=MODEL, request_id=request_id)
    seen = [event async for event in sent(writer, api_key, request)]
    generation, answer = started_of(seen).generation_id, seen[-1].completed.message
    await redis.client.delete(f"aichat:journal:{{{api_key.organization_id}}}:{generation}")
    for call in (resume(reader, api_key, generation), sent(reader, api_key, request)):
        again = [event async for event in call]
        assert ended_call(again) == ended_call(seen)
        assert (text_of(again), again[-1].completed.message) == (text_of(seen), answer)
    assert times_asked(vendors, text[-36:]) == 1

    failed = await refusal(sent(reader, api_key, following(answer, asking("Well?").parts, request_id)))
    assert (failed.reason, failed.metadata) == ("REQUEST_ID_REUSED", {"request_id": request_id})
    next_id = str(uuid4())
    failed = await refusal(sent(reader, api_key, following(answer, asking("Well?").parts, next_id)))
    assert (failed.reason, failed.metadata) == ("TOOL_RESULTS_MISMATCHED", {"missing": ended_call(seen).call_id})
    on = [event async for event in sent(reader, api_key, following(answer, results(answer), next_id))]
    assert on[-1].completed.message.stop_reason == messages_pb2.STOP_REASON_END_TURN
    assert len(await history(reader, api_key, answer.conversation_id)) == 4


async def test_p05_a_call_that_is_cancelled_in_its_middle_is_not_kept(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    request = asking(calling(ADDED, hang_after=3), model=MODEL, request_id=str(uuid4()))
    seen: list[Event] = []
    async for event in sent(writer, api_key, request):
        seen.append(event)
        if event.HasField("tool_call_delta"):
            break
    await cancel(reader, api_key, started_of(seen).generation_id)
    _, partial = await history(reader, api_key, started_of(seen).conversation_id)
    assert partial.state == messages_pb2.MESSAGE_STATE_CANCELLED
    assert [part.WhichOneof("kind") for part in partial.parts] == ["text"]
    again = await refusal(sent(reader, api_key, request))
    assert (again.reason, text_of(again.seen)) == ("GENERATION_CANCELLED", "Let me see.")
    on = asking(script(deltas=["On."]), model=MODEL, conversation_id=partial.conversation_id)
    assert text_of([event async for event in sent(writer, api_key, on)]) == "On."


async def test_arguments_that_are_no_json_are_kept_and_marked(writer: ServerUnderTest, api_key: ApiKey) -> None:
    events = [event async for event in sent(writer, api_key, asking(calling("no JSON", "[1]", ADDED), model=MODEL))]
    ended = [event.tool_call_ended.call for event in events if event.HasField("tool_call_ended")]
    stored = [part.tool_call for part in events[-1].completed.message.parts if part.HasField("tool_call")]
    marked = {"no JSON": True, "[1]": True, ADDED: False}
    assert {call.arguments: call.arguments_invalid for call in stored} == marked
    # Calls that are made side by side end in any order.
    assert {call.call_id: call for call in ended} == {call.call_id: call for call in stored}


async def test_p07_repeated_results_and_results_behind_text_are_refused(
    writer: ServerUnderTest, api_key: ApiKey
) -> None:
    answer = [event async for event in sent(writer, api_key, asking(calling(ADDED, "{}"), model=MODEL))][
        -1
    ].completed.message
    one, two = results(answer)
    text = asking("And?").parts[0]
    for parts, reason in (
        ([one, one, two], "TOOL_RESULTS_MISMATCHED"),
        ([one, text, two], "REQUEST_INVALID"),
    ):
        failed = await refusal(sent(writer, api_key, following(answer, parts)))
        assert failed.reason == reason
    assert len(await history(writer, api_key, answer.conversation_id)) == 2
    assert len(await conversations(writer, api_key)) == 1
