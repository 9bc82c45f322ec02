"""Promise 22: a conversation that has become longer than its model's context goes on, and says what was left out."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aichat.v1 import chat_pb2, conversations_pb2, events_pb2, messages_pb2, options_pb2, tokens_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.conversations.service.fitting import RESULT_NOTE
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import add_prices

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    ask,
    conversations,
    eventually,
    history,
    refusal,
    script,
    started_of,
    stream,
)

MODEL, CHEAP = "window/short", "window/cheap"
WINDOW = 3_000
# About 500 tokens: two or three fit besides the answer.
LONG, SHORT = "x" * 1_500, "y" * 450
SUMMARIZE = options_pb2.ChatOptions(long_history=options_pb2.LONG_HISTORY_SUMMARIZE)
REFUSE = options_pb2.ChatOptions(long_history=options_pb2.LONG_HISTORY_REFUSE)


@pytest.fixture(scope="module")
async def server(run_server: RunServer, vendors: Vendors, postgres: Postgres) -> AsyncGenerator[ServerUnderTest, None]:
    """With a model of a small context and a cheap one, whose vendor cannot count."""
    prices = {MODEL: 2, CHEAP: 1}
    models = [
        {
            "id": name.partition("/")[2],
            "context_window": WINDOW,
            "input_usd_per_mtok": usd,
            "output_usd_per_mtok": usd,
            "tools": True,
        }
        for name, usd in prices.items()
    ]
    endpoint = {"name": "window", "base_url": vendors.base_url("openai"), "api_key": "k", "models": models}
    for name, usd in prices.items():
        price = Price(BEGINNING, (PriceTier(0, *[NanoUsd(usd * 10**9)] * 6),))
        await add_prices(postgres.owner_url, {("window", name): [price]})
    async with run_server(AICHAT_OPENAI_COMPATIBLE=json.dumps([endpoint])) as running:
        yield running


def question(n: int, more: str = LONG) -> str:
    return script(deltas=[f"answer {n}"]) + more


async def turns(server: ServerUnderTest, key: ApiKey, count: int, more: str = LONG) -> str:
    """Returns a conversation of that many turns."""
    (started, *_) = await ask(server, key, question(0, more), model=MODEL)
    place = started.started.conversation_id
    for n in range(1, count):
        await ask(server, key, question(n, more), model=MODEL, conversation_id=place)
    return place


def shown(vendors: Vendors, last: str) -> list[str]:
    """The texts that the model was shown with the question `last`."""
    bodies: list[dict[str, Any]] = [entry["body"] for entry in vendors.log()]
    texts = ([message["content"] for message in body["messages"]] for body in bodies if body.get("model") == "short")
    return next(found for found in texts if found[-1] == last)


def left_out(events: Sequence[chat_pb2.StreamChatResponse | chat_pb2.ResumeChatResponse]) -> events_pb2.LeftOut:
    return next(event.started.left_out for event in events if event.HasField("started"))


async def test_p22_the_oldest_turns_are_left_out_and_the_caller_is_told(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    place = await turns(server, api_key, 13)
    last, sent = question(13), {"model": MODEL, "conversation_id": place, "request_id": str(uuid4())}
    events = await ask(server, api_key, last, **sent)
    read = shown(vendors, last)
    assert read[-2:] == ["answer 12", last]
    assert read[0] in {question(n) for n in range(8, 13)}
    told = left_out(events)
    # The conversation is longer than what is read from the database, too.
    assert told == started_of(events).left_out
    assert told.messages == 2 * 13 + 1 - len(read)
    assert told.tokens > 10 * 300
    assert not told.summarized

    resume = chat_pb2.ResumeChatRequest(generation_id=started_of(events).generation_id)
    resumed = [event async for event in server.chat.ResumeChat(resume, metadata=api_key.metadata)]
    assert left_out(resumed) == left_out(await ask(server, api_key, last, **sent)) == told
    assert len(await history(server, api_key, place)) == 2 * 14


async def look(server: ServerUnderTest, key: ApiKey, **sent: Any) -> list[chat_pb2.StreamChatResponse]:
    """Lets the model call a tool, and returns the events of the answer to its long result."""
    rounds = script(rounds=[{"tools": [{"name": "look"}]}, {"deltas": ["seen"]}])
    called = await ask(server, key, rounds, model=MODEL, **sent)
    (call,) = [part.tool_call for part in called[-1].completed.message.parts if part.HasField("tool_call")]
    inner = messages_pb2.ResultPart(text=messages_pb2.TextPart(text=LONG))
    result = messages_pb2.ToolResultPart(call_id=call.call_id, parts=[inner])
    request = chat_pb2.StreamChatRequest(
        model=MODEL, parts=[messages_pb2.Part(tool_result=result)], **{**sent, "conversation_id": place_of(called)}
    )
    return [event async for event in server.chat.StreamChat(request, metadata=key.metadata)]


def place_of(events: Sequence[chat_pb2.StreamChatResponse]) -> str:
    return next(event.started.conversation_id for event in events if event.HasField("started"))


async def test_p22_the_oldest_tool_results_lose_their_content_first(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    options = options_pb2.ChatOptions(tools=[options_pb2.Tool(name="look")], max_output_tokens=600)
    first = await look(server, api_key, options=options)
    vendors.clear_log()
    second = await look(server, api_key, options=options, conversation_id=place_of(first))
    told = left_out(second)
    assert (told.tool_results, told.messages) == (1, 0)
    bodies = [entry["body"]["messages"] for entry in vendors.log() if entry["model"] == "short"]
    results = [message["content"] for message in bodies[-1] if message["role"] == "tool"]
    assert results == [RESULT_NOTE, LONG]
    turn = ["user", "assistant", "tool"]
    assert [message["role"] for message in bodies[-1]] == [*turn, "assistant", *turn]


async def booked(postgres: Postgres, key: ApiKey, model: str) -> list[asyncpg.Record]:
    async with connection(postgres.owner_url) as owner:
        query = "SELECT * FROM aichat.usage_events WHERE org_id = $1 AND model = $2"
        return await owner.fetch(query, UUID(key.organization_id), model)


async def summaries(postgres: Postgres, key: ApiKey) -> list[asyncpg.Record]:
    async with connection(postgres.owner_url) as owner:
        return await owner.fetch("SELECT * FROM aichat.summaries WHERE org_id = $1", UUID(key.organization_id))


async def test_p22_a_cheap_model_summarises_the_oldest_turns_once(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors, postgres: Postgres
) -> None:
    place = await turns(server, api_key, 8, SHORT)
    last = question(8, SHORT)
    sent = {"model": MODEL, "conversation_id": place, "options": SUMMARIZE, "request_id": str(uuid4())}
    first = await ask(server, api_key, last, **sent)
    told, read = left_out(first), shown(vendors, last)
    assert told.summarized
    # The summary is part of the first question that is shown.
    assert told.messages == 2 * 8 + 1 - len(read) > 4
    assert read[0].startswith("Summary of the conversation so far:\n\nHello! I am a **stand-in**")
    (summary,) = await booked(postgres, api_key, CHEAP)
    assert summary["cost_nano_usd"] > 0

    again = await ask(server, api_key, last, **sent)
    assert left_out(again) == told
    # Half of the room was left free, and so the next turn needs no other summary.
    second = await ask(server, api_key, script(deltas=["a"]), **{**sent, "request_id": str(uuid4())})
    assert left_out(second).summarized
    assert left_out(second).messages == told.messages
    assert shown(vendors, script(deltas=["a"]))[0] == read[0]
    assert len(await booked(postgres, api_key, CHEAP)) == len(await summaries(postgres, api_key)) == 1

    deletion = conversations_pb2.DeleteConversationRequest(conversation_id=place)
    await server.conversations.DeleteConversation(deletion, metadata=api_key.metadata)
    assert await summaries(postgres, api_key) == []


async def test_p05_a_turn_is_cancelled_while_its_history_is_summarised(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors, postgres: Postgres
) -> None:
    place = await turns(server, api_key, 3)
    vendors.clear_log()
    call = stream(
        server, api_key, question(4), model=MODEL, conversation_id=place, options=SUMMARIZE, cancel_on_disconnect=True
    )
    await vendors.wait_for_log(lambda entry: entry["model"] == "cheap", seconds=30)
    call.cancel()
    await eventually(lambda: history(server, api_key, place), lambda messages: len(messages) == 6)
    (summary,) = await eventually(lambda: booked(postgres, api_key, CHEAP), bool)
    assert summary["error_reason"] == "GENERATION_CANCELLED"
    assert not any(entry["model"] == "short" for entry in vendors.log())


async def test_p07_a_long_conversation_is_refused_if_the_caller_wants_that(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    place = await turns(server, api_key, 3)
    sent = {"model": MODEL, "conversation_id": place, "request_id": str(uuid4())}
    failed = await refusal(stream(server, api_key, question(3), options=REFUSE, **sent))
    assert failed.reason == "CONTEXT_EXCEEDED"
    assert failed.metadata.pop("model") == MODEL
    assert {name: int(value) > 0 for name, value in failed.metadata.items()} == {
        "input_tokens": True, "context_window": True, "max_output_tokens": True,
    }  # fmt: skip
    # Nothing of it is left, and the request id may be used again.
    await eventually(lambda: history(server, api_key, place), lambda messages: len(messages) == 6)
    events = await ask(server, api_key, question(3), **sent)
    assert started_of(events).HasField("left_out")


async def test_p07_a_message_that_is_alone_too_long_is_refused(server: ServerUnderTest, api_key: ApiKey) -> None:
    failed = await refusal(stream(server, api_key, LONG * 20, model=MODEL))
    assert failed.reason == "CONTEXT_EXCEEDED"
    assert failed.metadata["context_window"] == str(WINDOW)
    assert await conversations(server, api_key) == []


async def test_tokens_are_counted_with_the_history_and_nothing_is_stored(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    text = script(deltas=["a"]) + "word " * 50
    (started, *_) = await ask(server, api_key, text, model=MODEL)
    place = started.started.conversation_id
    part = messages_pb2.Part(text=messages_pb2.TextPart(text=text))
    request = tokens_pb2.CountTokensRequest(model=MODEL, parts=[part], conversation_id=place)
    counted = await server.chat.CountTokens(request, metadata=api_key.metadata)
    assert (counted.estimated, counted.context_window) == (True, WINDOW)
    assert len(await history(server, api_key, place)) == 2
    events = await ask(server, api_key, text, model=MODEL, conversation_id=place)
    assert counted.input_tokens > events[-1].completed.message.usage.input_tokens

    alone = tokens_pb2.CountTokensRequest(model=MODEL, parts=[part])
    assert (await server.chat.CountTokens(alone, metadata=api_key.metadata)).input_tokens < counted.input_tokens


async def test_tokens_are_counted_exactly_where_the_vendor_counts(server: ServerUnderTest, api_key: ApiKey) -> None:
    text, model, tools = script(deltas=["a"]), "claude-opus-5-5", [options_pb2.Tool(name="look", description="Looks.")]
    (started, *_) = await ask(server, api_key, text, model=model)
    place, options = started.started.conversation_id, options_pb2.ChatOptions(tools=tools)
    part = messages_pb2.Part(text=messages_pb2.TextPart(text=text))
    request = tokens_pb2.CountTokensRequest(model=model, parts=[part], conversation_id=place, options=options)
    counted = await server.chat.CountTokens(request, metadata=api_key.metadata)
    assert not counted.estimated
    events = await ask(server, api_key, text, model=model, conversation_id=place, options=options)
    usage = events[-1].completed.message.usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "gpt-none"}, "MODEL_UNKNOWN"),
        ({"conversation_id": str(uuid4())}, "CONVERSATION_NOT_FOUND"),
        (
            {"options": options_pb2.ChatOptions(tools=[options_pb2.Tool(name="a"), options_pb2.Tool(name="a")])},
            "REQUEST_INVALID",
        ),
    ],
)
async def test_what_chat_refuses_is_not_counted(
    server: ServerUnderTest, api_key: ApiKey, changes: dict[str, Any], reason: str
) -> None:
    part = messages_pb2.Part(text=messages_pb2.TextPart(text="Hello"))
    request = tokens_pb2.CountTokensRequest(**{"model": MODEL, "parts": [part], **changes})
    failed = await refusal(server.chat.CountTokens(request, metadata=api_key.metadata))
    assert failed.reason == reason
