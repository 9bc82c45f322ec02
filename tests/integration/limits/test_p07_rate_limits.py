"""Promise 7: turns and calls reach the limits of their plan, on servers that share a Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import chat_pb2, messages_pb2, options_pb2
from aichat_server.core.database.database import Database
from aichat_server.plans.domain import Plan

from tests.fixtures.rates import FREE_RATES
from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest, minted_key
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    Refusal,
    ask,
    conversations,
    eventually,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
    times_asked,
)

FREE = FREE_RATES.caller
Call: TypeAlias = "grpc.aio.UnaryStreamCall[chat_pb2.StreamChatRequest, chat_pb2.StreamChatResponse]"
WAITING = script(words=3, hang_after=1)


@dataclass(frozen=True)
class Pair:
    """Two servers that share a Redis."""

    one: ServerUnderTest
    other: ServerUnderTest


@pytest.fixture(scope="module")
async def pair(run_server: RunServer) -> AsyncGenerator[Pair, None]:
    async with run_redis() as redis:
        settings = {"REDIS_URL": redis.url, "AICHAT_PROVIDER_STALL_SECONDS": "1", "AICHAT_DRAIN_SECONDS": "0"}
        async with run_server(**settings) as one, run_server(**settings) as other:
            yield Pair(one, other)


@pytest.fixture
async def free_key(database: Database) -> ApiKey:
    return await minted_key(database, Plan.FREE)


async def opened(server: ServerUnderTest, key: ApiKey, text: str, count: int) -> list[Call]:
    """Returns streams that have begun."""
    calls = [stream(server, key, text) for _ in range(count)]
    for call in calls:
        assert (await first_event(call)).HasField("started")
    return calls


async def call(server: ServerUnderTest, key: ApiKey) -> Refusal | None:
    """Makes a call that begins no answer."""
    answer = server.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=key.metadata)
    try:
        await answer
    except grpc.aio.AioRpcError:
        return await refusal(answer)
    return None


async def test_requests_are_limited_across_processes(pair: Pair, free_key: ApiKey, api_key: ApiKey) -> None:
    one, other = pair.one, pair.other
    calls = [call(server, free_key) for server in (one, other) for _ in range(FREE.requests_per_minute)]
    refusals = [refused for refused in await asyncio.gather(*calls) if refused is not None]
    assert len(refusals) == FREE.requests_per_minute
    refused = refusals[-1]
    assert (refused.reason, refused.code) == ("RATE_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    resets_at = datetime.fromisoformat(refused.metadata.pop("reset_time"))
    assert refused.metadata == {
        "name": "requests_per_minute",
        "scope": "api_key",
        "limit": str(FREE.requests_per_minute),
        "used": str(FREE.requests_per_minute),
        "remaining": "0",
    }
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 61
    assert 0 < (resets_at - datetime.now(UTC)).total_seconds() <= 61
    # A turn is a request, too, and a refused one begins nothing.
    assert (await refusal(stream(one, free_key, script(deltas=["a"])))).metadata["name"] == "requests_per_minute"
    assert await call(one, api_key) is None


async def test_streams_are_limited_until_one_ends_however_it_does(pair: Pair, free_key: ApiKey) -> None:
    one, other = pair.one, pair.other
    slow = await opened(one, free_key, script(words=60, interval_ms=20), FREE.open_streams)
    refused = await refusal(stream(other, free_key, script(deltas=["a"])))
    assert (refused.reason, refused.metadata["name"]) == ("RATE_LIMITED", "open_streams")
    assert refused.retry_after == 1.0
    # A stream continues after its reader disconnects, and counts until it ends.
    slow[0].cancel()
    assert (await refusal(stream(other, free_key, script(deltas=["a"])))).reason == "RATE_LIMITED"
    answers = [[event async for event in call][-1] for call in slow[1:]]
    assert all(answer.HasField("completed") for answer in answers)

    async def has_place() -> bool:
        return text_of(await ask(other, free_key, script(deltas=["a"]))) == "a"

    assert await eventually(has_place, bool)
    # A failed one releases its slot, too.
    broken = await opened(one, free_key, WAITING, FREE.open_streams)
    for failed in broken:
        assert (await refusal(failed)).reason == "PROVIDER_TIMEOUT"
    assert text_of(await ask(other, free_key, script(deltas=["b"]))) == "b"


async def test_a_stream_that_completes_has_released_its_slot(pair: Pair, free_key: ApiKey) -> None:
    server = pair.one
    held = await opened(server, free_key, script(words=500, interval_ms=20), FREE.open_streams - 1)
    for _ in range(20):
        await ask(server, free_key, script(deltas=["a"]))
    assert all(not call.done() for call in held)


async def test_a_turn_sent_again_joins_its_answer_though_the_limit_is_reached(pair: Pair, free_key: ApiKey) -> None:
    server = pair.one
    request_id, text = str(uuid4()), script(words=40, interval_ms=20)
    first = stream(server, free_key, text, request_id=request_id)
    await first_event(first)
    await opened(server, free_key, script(words=100, interval_ms=20), FREE.open_streams - 1)
    again = await ask(server, free_key, text, request_id=request_id)
    assert again[-1].HasField("completed")
    # The slot was released once.
    await opened(server, free_key, script(words=100, interval_ms=20), 1)
    assert (await refusal(stream(server, free_key, text))).metadata["name"] == "open_streams"


async def test_tokens_are_released_and_a_refused_turn_takes_nothing(pair: Pair, free_key: ApiKey) -> None:
    server = pair.one
    large = options_pb2.ChatOptions(max_output_tokens=60_000)
    for _ in range(3):
        await ask(server, free_key, script(deltas=["a"]), options=large)
    running = stream(server, free_key, script(words=100, interval_ms=20), options=large)
    await first_event(running)
    before = len(await conversations(server, free_key))
    for _ in range(5):
        refused = await refusal(stream(server, free_key, script(deltas=["b"]), options=large))
        assert (refused.reason, refused.metadata["name"]) == ("RATE_LIMITED", "tokens_per_minute")
        assert 60_000 <= int(refused.metadata["used"]) < 61_000
    assert len(await conversations(server, free_key)) == before
    small = options_pb2.ChatOptions(max_output_tokens=30_000)
    assert text_of(await ask(server, free_key, script(deltas=["c"]), options=small)) == "c"


async def test_a_turn_that_cannot_begin_releases_its_slot_and_tokens(pair: Pair, free_key: ApiKey) -> None:
    server = pair.one
    large = options_pb2.ChatOptions(max_output_tokens=60_000)
    for _ in range(FREE.open_streams + 1):
        failed = await refusal(
            stream(server, free_key, script(deltas=["a"]), conversation_id=str(uuid4()), options=large)
        )
        assert failed.reason == "CONVERSATION_NOT_FOUND"


async def test_a_turn_continues_when_redis_disappears(
    run_server: RunServer, redis: RedisUnderTest, free_key: ApiKey
) -> None:
    async with run_server(REDIS_URL=redis.url) as server:
        running = stream(server, free_key, script(words=30, interval_ms=10))
        await first_event(running)
        await redis.kill()
        assert [event async for event in running][-1].HasField("completed")
        assert text_of(await ask(server, free_key, script(deltas=["a"]))) == "a"
        answers = await asyncio.gather(*(call(server, free_key) for _ in range(2 * FREE.requests_per_minute)))
        # This process alone admitted the turn, and all that follows.
        assert sum(answer is None for answer in answers) == FREE.requests_per_minute - 1


async def test_a_turn_that_is_refused_while_it_begins_leaves_no_trace(
    pair: Pair, server: ServerUnderTest, free_key: ApiKey, vendors: Vendors
) -> None:
    """A server that has heard of plenty of room begins the turn while it asks; others have used the room up since."""
    events = await ask(pair.one, free_key, script(deltas=["a"]))
    conversation_id = started_of(events).conversation_id
    before = await history(server, free_key, conversation_id)
    while await call(pair.other, free_key) is None:
        """It lets in what there is room for."""
    text = script(deltas=[str(uuid4())])
    refused = await refusal(stream(pair.one, free_key, text, conversation_id=conversation_id))
    assert (refused.reason, refused.seen) == ("RATE_LIMITED", [])

    async def messages() -> list[messages_pb2.Message]:
        # By a server that counts for itself alone.
        return await history(server, free_key, conversation_id)

    assert await eventually(messages, lambda seen: len(seen) == len(before)) == before
    assert times_asked(vendors, text) == 0
