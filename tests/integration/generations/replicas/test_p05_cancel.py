"""Promise 5: Cancel takes effect within a second and keeps what had arrived; a disconnect cancels only if requested."""

import asyncio
import time
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import chat_pb2, messages_pb2

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
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
)
from tests.integration.generations.replicas.following import cancel, resume

CANCELLED = chat_pb2.GENERATION_STATE_CANCELLED
MODELS = ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"]


def endless() -> str:
    """Returns a script of an answer that continues until it is cancelled, with a unique text."""
    return script(deltas=["a ", "b ", "c"], hang_after=2) + str(uuid4())


async def closed_within_a_second(vendors: Vendors, text: str) -> None:
    marker = text[-36:]
    await vendors.wait_for_log(lambda entry: marker in str(entry["body"]) and entry["client_closed"], seconds=1.0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_it_stops_the_vendor_and_keeps_the_partial_answer(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, vendors: Vendors, model: str, *, elsewhere: bool
) -> None:
    text, request_id = endless(), str(uuid4())
    call = stream(writer, api_key, text, model=model, request_id=request_id)
    seen = []
    async for event in call:
        seen.append(event)
        if text_of(seen) == "a b ":
            break
    started = started_of(seen)
    following = asyncio.create_task(refusal(resume(reader, api_key, started.generation_id)))
    begun = time.monotonic()
    state = await cancel(reader if elsewhere else writer, api_key, started.generation_id)
    assert state == CANCELLED
    await closed_within_a_second(vendors, text)
    assert time.monotonic() - begun < 1

    failures = [
        await refusal(call),
        await following,
        await refusal(stream(writer, api_key, text, model=model, request_id=request_id)),
    ]
    for failed in failures:
        assert (failed.reason, failed.code) == ("GENERATION_CANCELLED", grpc.StatusCode.CANCELLED)
        assert failed.metadata == {"generation_id": started.generation_id}
    assert text_of(failures[1].seen) == text_of(failures[2].seen) == "a b "
    _, partial = await history(writer, api_key, started.conversation_id)
    assert (partial.state, partial.parts[0].text.text) == (messages_pb2.MESSAGE_STATE_CANCELLED, "a b ")
    assert partial.usage.estimated
    again = await ask(writer, api_key, script(deltas=["more"]), conversation_id=started.conversation_id)
    assert again[-1].HasField("completed")


async def test_an_ended_answer_is_left_as_it_is(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    events = await ask(writer, api_key, script(deltas=["whole"]))
    failed = await refusal(stream(writer, api_key, script(deltas=["a ", "b"], interval_ms=50, cut_after=1)))
    for server in (writer, reader):
        generation = started_of(events).generation_id
        assert await cancel(server, api_key, generation) == chat_pb2.GENERATION_STATE_COMPLETE
        broken = started_of(failed.seen).generation_id
        assert await cancel(server, api_key, broken) == chat_pb2.GENERATION_STATE_FAILED
    assert (await history(writer, api_key, started_of(events).conversation_id))[1] == events[-1].completed.message


async def test_with_nothing_written_it_leaves_nothing_behind(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    request_id, text = str(uuid4()), script(hang=True) + str(uuid4())
    call = stream(writer, api_key, text, request_id=request_id)
    generation = (await first_event(call)).started.generation_id
    assert await cancel(reader, api_key, generation) == CANCELLED
    assert (await refusal(call)).reason == "GENERATION_CANCELLED"
    assert await conversations(writer, api_key) == []
    assert await cancel(reader, api_key, generation) == CANCELLED
    assert text_of(await ask(writer, api_key, script(deltas=["now"]), request_id=request_id)) == "now"


async def test_unknown_and_foreign_generations_get_the_same_answer_and_are_not_touched(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    call = stream(writer, foreign_key, script(words=20, interval_ms=20))
    first = await first_event(call)
    theirs = first.started.generation_id
    for server in (writer, reader):
        failures = [await refusal(cancel(server, api_key, generation)) for generation in (theirs, str(uuid4()))]
        assert [failed.reason for failed in failures] == ["GENERATION_NOT_FOUND"] * 2
        assert failures[0].message == failures[1].message
    assert [event async for event in call][-1].HasField("completed")


async def test_a_race_with_the_answers_end_has_one_winner(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    async def race(words: int) -> int:
        call = stream(writer, api_key, script(words=words, interval_ms=2))
        started = (await first_event(call)).started
        state = await cancel(writer if words % 2 else reader, api_key, started.generation_id)
        if state == CANCELLED:
            assert (await refusal(call)).reason == "GENERATION_CANCELLED"
        else:
            assert state == chat_pb2.GENERATION_STATE_COMPLETE
            answer = [event async for event in call][-1].completed.message
            assert (await history(writer, api_key, started.conversation_id))[1] == answer
        assert await cancel(reader, api_key, started.generation_id) == state
        return state

    # Which side wins the others depends on the machine.
    assert await race(2000) == CANCELLED
    for words in range(1, 24):
        assert await race(words) in {CANCELLED, chat_pb2.GENERATION_STATE_COMPLETE}


async def test_without_redis_another_replicas_answer_cannot_be_cancelled(
    run_server: RunServer, server: ServerUnderTest, writer: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    call = stream(writer, api_key, endless())
    generation = (await first_event(call)).started.generation_id
    assert (await refusal(cancel(server, api_key, generation))).reason == "GENERATION_IN_PROGRESS"
    async with run_server(REDIS_URL="redis://127.0.0.1:9/0") as cut_off:
        assert (await refusal(cancel(cut_off, api_key, generation))).reason == "GENERATION_IN_PROGRESS"
    assert await cancel(writer, api_key, generation) == CANCELLED


async def test_replicas_receive_cancellations_again_after_an_outage(
    writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    call = stream(writer, api_key, endless())
    generation = (await first_event(call)).started.generation_id
    await redis.kill()
    await redis.start()

    async def state() -> object:
        try:
            return await cancel(reader, api_key, generation)
        except grpc.aio.AioRpcError:
            return None

    await eventually(state, lambda found: found == CANCELLED)


async def test_a_disconnect_cancels_only_if_the_request_asked_for_it(
    writer: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = endless()
    first = stream(writer, api_key, text, cancel_on_disconnect=True)
    started = (await first_event(first)).started
    second = resume(writer, api_key, started.generation_id)
    await first_event(second)
    first.cancel()
    seen = []
    async for event in second:
        seen.append(event)
        if event.HasField("heartbeat"):
            # It continues while anyone reads.
            break
    second.cancel()
    await closed_within_a_second(vendors, text)

    async def look() -> list[messages_pb2.Message]:
        return await history(writer, api_key, started.conversation_id)

    _, partial = await eventually(look, lambda messages: len(messages) == 2)
    assert partial.state == messages_pb2.MESSAGE_STATE_CANCELLED


async def test_a_disconnect_before_the_first_event_cancels_too(
    run_server: RunServer, api_key: ApiKey, vendors: Vendors
) -> None:
    text = script(hang=True) + str(uuid4())
    async with run_server() as server:
        call = stream(server, api_key, text, cancel_on_disconnect=True)
        await vendors.wait_for_log(lambda entry: text[-36:] in str(entry["body"]))
        call.cancel()
        await closed_within_a_second(vendors, text)

        async def look() -> int:
            return len(await conversations(server, api_key))

        await eventually(look, lambda count: count == 0)
