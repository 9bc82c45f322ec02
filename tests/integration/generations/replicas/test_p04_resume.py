"""Promise 4: resuming on any replica yields exactly the missing events, or a typed error; never a second answer."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from aichat.v1 import chat_pb2
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Portion, Position
from aichat_server.generations.gateway.journal import Append, JournalStreams

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
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
    times_asked,
)
from tests.integration.generations.replicas.conftest import HEARTBEAT_SECONDS
from tests.integration.generations.replicas.following import everything, resume, wire


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_every_prefix_can_be_resumed_on_both_replicas_while_the_answer_is_written(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, vendors: Vendors, model: str
) -> None:
    text = script(reasoning=["hm ", "so"], words=30, interval_ms=15) + str(uuid4())
    call = stream(writer, api_key, text, model=model)
    seen, resumed = [], []
    async for event in call:
        seen.append(event)
        resumed += [
            asyncio.create_task(everything(resume(server, api_key, started_of(seen).generation_id, event.sequence)))
            for server in (writer, reader)
        ]
    assert seen[-1].HasField("completed")
    for number, rest in enumerate(await asyncio.gather(*resumed)):
        assert rest == wire([event for event in seen if event.sequence > number // 2 + 1])
    assert times_asked(vendors, text) == 1


async def test_an_ended_answer_can_be_resumed_from_every_event(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    events = await ask(writer, api_key, script(words=10, interval_ms=30))
    generation = started_of(events).generation_id
    for server in (writer, reader):
        for after in range(len(events) + 1):
            assert await everything(resume(server, api_key, generation, after)) == wire(events[after:])
        behind = await refusal(resume(server, api_key, generation, len(events) + 1))
        assert (behind.reason, behind.seen) == ("REQUEST_INVALID", [])


async def test_what_is_still_written_has_an_end_too(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    call = stream(writer, api_key, script(deltas=["a ", "b"], hang_after=1))
    started = await first_event(call)
    generation = started.started.generation_id
    behind = await refusal(resume(writer, api_key, generation, 1_000))
    assert (behind.reason, behind.seen) == ("REQUEST_INVALID", [])
    # An event that the other replica does not have yet may still arrive, and the answer's end is then before it.
    late = asyncio.create_task(refusal(resume(reader, api_key, generation, 1_000)))
    await writer.chat.CancelGeneration(
        chat_pb2.CancelGenerationRequest(generation_id=generation), metadata=api_key.metadata
    )
    assert (await late).reason in ("REQUEST_INVALID", "GENERATION_CANCELLED")


async def test_a_failure_comes_after_the_missing_events_on_both_replicas(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    first = await refusal(stream(writer, api_key, script(deltas=["a ", "b ", "c"], interval_ms=80, cut_after=2)))
    generation = started_of(first.seen).generation_id
    for server in (writer, reader):
        again = await refusal(resume(server, api_key, generation, 1))
        assert (again.reason, again.message, again.metadata) == (first.reason, first.message, first.metadata)
        assert text_of(again.seen) == "a b "


async def test_silence_is_filled_with_heartbeats_on_the_other_replica_too(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    call = stream(writer, api_key, script(deltas=["a ", "b"], interval_ms=HEARTBEAT_SECONDS * 4000))
    started = await first_event(call)
    events = [event async for event in resume(reader, api_key, started.started.generation_id)]
    beats = [event for event in events if event.HasField("heartbeat")]
    assert len(beats) >= 2
    numbers = [event.sequence for event in events]
    assert numbers == sorted(numbers)
    assert text_of(events) == "a b"


async def test_a_call_repeated_on_another_replica_joins_the_answer(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    request_id, text = str(uuid4()), script(words=30, interval_ms=10) + str(uuid4())
    call = stream(writer, api_key, text, request_id=request_id)
    first = await first_event(call)
    joined = await ask(reader, api_key, text, request_id=request_id)
    assert wire(joined) == wire([first, *[event async for event in call]])
    assert times_asked(vendors, text) == 1


async def test_unknown_and_foreign_generations_get_the_same_answer(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    call = stream(writer, foreign_key, script(words=30, interval_ms=30))
    theirs = (await first_event(call)).started.generation_id
    for server in (writer, reader):
        failures = [await refusal(resume(server, api_key, generation)) for generation in (theirs, str(uuid4()))]
        assert {(failed.reason, failed.code, failed.message) for failed in failures} == {
            ("GENERATION_NOT_FOUND", grpc.StatusCode.NOT_FOUND, failures[0].message)
        }
        assert failures[0].metadata == {"generation_id": theirs}
    for generation, after in (("42", 0), (theirs, -1)):
        assert (await refusal(resume(reader, api_key, generation, after))).reason == "REQUEST_INVALID"
    call.cancel()


@pytest.mark.parametrize("ended", [False, True])
async def test_an_answer_whose_last_events_are_lost_is_read_from_storage(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey, *, ended: bool
) -> None:
    request_id, text = str(uuid4()), script(words=5, interval_ms=80)
    events = await ask(writer, api_key, text, request_id=request_id)
    generation = started_of(events).generation_id
    name = f"aichat:journal:{{{api_key.organization_id}}}:{generation}"
    await everything(resume(reader, api_key, generation))
    # As if its process were killed after storing the answer, and before sending that.
    entries: Any = await redis.client.xrange(name)
    await redis.client.delete(name)
    for number, fields in entries[:-1]:
        await redis.client.xadd(name, fields, id=number)
    if ended:
        # As if its process did not learn for a long time that it is stored.
        await end_as_unstored(redis, GenerationKey(UUID(api_key.organization_id), UUID(generation)))
    for again in (
        await ask(reader, api_key, text, request_id=request_id),
        [event async for event in resume(reader, api_key, generation)],
    ):
        assert shown(again) == ["started", "text_delta", "completed"]
        assert text_of(again) == text_of(events)
        assert again[-1].completed == events[-1].completed
    assert (await refusal(resume(reader, api_key, generation, 2))).reason == "GENERATION_NOT_RESUMABLE"


def shown(events: Iterable[chat_pb2.StreamChatResponse | chat_pb2.ResumeChatResponse]) -> list[str]:
    """The kinds of events: without heartbeats, and without the ends of parts, which only have a number."""
    kinds = (event.WhichOneof("event") for event in events)
    return [kind for kind in kinds if kind not in (None, "heartbeat")]


async def end_as_unstored(redis: RedisUnderTest, key: GenerationKey) -> None:
    streams = JournalStreams(redis.client, retention_seconds=600, rescue_seconds=600)
    *_, last = (await streams.read({key: BEGINNING}, 0.001))[key]
    failure = AichatError(Reason.STORAGE_UNAVAILABLE, "the database cannot be reached")
    end = Position(last.position.sequence, ended=True)
    assert await streams.append([Append(key, last.position, Portion(end, (), failure))]) == [end]


async def test_after_its_retention_an_answer_is_read_from_storage(
    run_server: RunServer, redis: RedisUnderTest, server: ServerUnderTest, api_key: ApiKey
) -> None:
    async with run_server(REDIS_URL=redis.url, AICHAT_JOURNAL_RETENTION_SECONDS="3") as forgetful:
        events = await ask(forgetful, api_key, script(words=5, interval_ms=30))
        started, answer = started_of(events), events[-1].completed.message
        name = f"aichat:journal:{{{api_key.organization_id}}}:{started.generation_id}"
        # Copied to its end, and expired.
        await eventually(lambda: redis.client.exists(name), bool)
        await eventually(lambda: redis.client.exists(name), lambda there: not there)
        # With Redis and without.
        for replica in (forgetful, server):
            again = [event async for event in resume(replica, api_key, started.generation_id)]
            assert shown(again) == ["started", "text_delta", "completed"]
            assert (again[0].started, again[-1].completed.message) == (started, answer)
            failed = await refusal(resume(replica, api_key, started.generation_id, 2))
            assert (failed.reason, failed.code) == ("GENERATION_NOT_RESUMABLE", grpc.StatusCode.FAILED_PRECONDITION)
            assert failed.metadata == {
                "generation_id": started.generation_id,
                "conversation_id": started.conversation_id,
                "message_id": answer.message_id,
            }
            assert failed.seen == []
    assert (await history(server, api_key, started.conversation_id))[1] == answer


async def test_without_redis_a_running_answer_is_known_to_its_own_replica_alone(
    run_server: RunServer, server: ServerUnderTest, api_key: ApiKey
) -> None:
    async with run_server() as other:
        call = stream(server, api_key, script(words=20, interval_ms=40))
        first = await first_event(call)
        generation = first.started.generation_id
        own = asyncio.create_task(everything(resume(server, api_key, generation, 1)))
        failed = await refusal(resume(other, api_key, generation, 1))
    assert (failed.reason, failed.code) == ("GENERATION_IN_PROGRESS", grpc.StatusCode.ABORTED)
    assert failed.retry_after is not None
    assert await own == wire([event async for event in call])
