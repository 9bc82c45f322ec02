"""Promise 15: Redis may be emptied, killed and unreachable.

Answers are still written and stored, and copying resumes.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

from aichat.v1 import chat_pb2, messages_pb2

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.conversations.asking import (
    ask,
    eventually,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
)
from tests.integration.generations.replicas.following import everything, resume, wire

SLOW = script(words=30, interval_ms=60)


async def first_words(events: AsyncIterator[chat_pb2.StreamChatResponse]) -> list[chat_pb2.StreamChatResponse]:
    """Returns the events up to the third piece of text, without heartbeats."""
    seen = []
    async for event in events:
        if event.HasField("heartbeat"):
            continue
        seen.append(event)
        if sum(event.HasField("text_delta") for event in seen) == 3:
            break
    return seen


async def test_an_emptied_redis_is_filled_again_and_readers_miss_nothing(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    events = aiter(stream(writer, api_key, SLOW))
    seen = await first_words(events)
    generation = started_of(seen).generation_id
    before = resume(reader, api_key, generation)
    early = [await first_event(before)]
    await redis.client.flushall()
    after = asyncio.create_task(everything(resume(reader, api_key, generation, 1)))
    seen += [event async for event in events]
    early += [event async for event in before]
    assert wire(early) == wire(seen)
    assert await after == wire(seen[1:])
    assert await everything(resume(reader, api_key, generation)) == wire(seen)


async def test_a_killed_redis_costs_an_answer_nothing(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    request_id = str(uuid4())
    unread = stream(writer, api_key, SLOW, request_id=request_id)
    events = aiter(stream(writer, api_key, SLOW))
    seen = await first_words(events)
    started = started_of(seen)
    elsewhere = resume(reader, api_key, started.generation_id, 1)
    await first_event(elsewhere)
    await redis.kill()
    try:
        unreachable = await refusal(stream(reader, api_key, SLOW, request_id=request_id))
        assert unreachable.reason == "GENERATION_IN_PROGRESS"
        assert [event async for event in unread][-1].HasField("completed")
        seen += [event async for event in events]
        # A new answer does not need Redis either.
        assert text_of(await ask(writer, api_key, script(deltas=["as ", "ever"]))) == "as ever"
        assert (await refusal(elsewhere)).reason == "GENERATION_NOT_RESUMABLE"
        stored = (await history(reader, api_key, started.conversation_id))[1]
        assert stored == seen[-1].completed.message
        assert stored.state == messages_pb2.MESSAGE_STATE_COMPLETE
    finally:
        await redis.start()


async def test_an_answer_that_outlasts_an_outage_can_be_resumed_again(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    events = aiter(stream(writer, api_key, script(words=60, interval_ms=100)))
    seen = await first_words(events)
    generation = started_of(seen).generation_id
    waiting = resume(reader, api_key, generation, 1)
    second = await first_event(waiting)
    await redis.kill()
    await redis.start()
    await redis.client.flushall()
    seen += [event async for event in events]
    assert wire([second, *[event async for event in waiting]]) == wire(seen[1:])
    assert await everything(resume(reader, api_key, generation, 2)) == wire(seen[2:])


async def test_a_server_starts_without_redis_and_finds_it_later(
    run_server: RunServer, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    await redis.kill()
    try:
        async with run_server(REDIS_URL=redis.url) as server:
            assert text_of(await ask(server, api_key, script(deltas=["here"]))) == "here"
            await redis.start()
            events = aiter(stream(server, api_key, SLOW))
            started = (await first_words(events))[0].started
            name = f"aichat:journal:{{{api_key.organization_id}}}:{started.generation_id}"
            # Whatever the process still waits for after the outage, it copies this answer, too.
            await eventually(lambda: redis.client.exists(name), bool)
            seen = [event async for event in events]
            assert seen[-1].HasField("completed")
    finally:
        if not redis.running:
            await redis.start()


async def test_unread_events_expire(writer: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey) -> None:
    events = await ask(writer, api_key, script(deltas=["a"]))
    name = f"aichat:journal:{{{api_key.organization_id}}}:{started_of(events).generation_id}"

    async def length() -> int:
        return await redis.client.xlen(name)

    await eventually(length, bool)
    assert 590_000 < await redis.client.pttl(name) <= 600_000
