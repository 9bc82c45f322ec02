"""Promise 16: on SIGTERM no turn begins, running ones end within the grace, others are interrupted and stored."""

import asyncio
from uuid import uuid4

import pytest
from aichat.v1 import messages_pb2

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.conversations.asking import (
    Refusal,
    ask,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
)


async def test_a_running_answer_finishes_and_new_calls_are_refused(
    run_server: RunServer, server: ServerUnderTest, api_key: ApiKey
) -> None:
    async with run_server(AICHAT_DRAIN_SECONDS="20") as draining:
        running = stream(draining, api_key, script(words=40, interval_ms=20))
        await first_event(running)
        draining.terminate()
        refused = await refused_soon(draining, api_key)
        assert refused.reason == "SERVER_DRAINING"
        events = [event async for event in running]
        assert events[-1].HasField("completed")
        assert await draining.process.wait() == 0
    assert len(await history(server, api_key, events[-1].completed.message.conversation_id)) == 2


async def refused_soon(draining: ServerUnderTest, key: ApiKey) -> Refusal:
    """Returns the refusal of the first call after the server has received the signal."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await refusal(stream(draining, key, script(deltas=["too late?"])))
            except AssertionError:
                continue


@pytest.mark.parametrize("stays", [True, False])
async def test_an_answer_that_outlasts_the_grace_is_interrupted_and_kept(
    run_server: RunServer, server: ServerUnderTest, api_key: ApiKey, *, stays: bool
) -> None:
    text, request_id = script(deltas=["a", "b", "c"], hang_after=2), str(uuid4())
    async with run_server(AICHAT_DRAIN_SECONDS="0.2") as draining:
        running = stream(draining, api_key, text, request_id=request_id)
        events = []
        async for event in running:
            events.append(event)
            if text_of(events) == "ab":
                break
        if not stays:
            running.cancel()
        draining.terminate()
        if stays:
            told = await refusal(running)
        assert await draining.process.wait() == 0
    # The same call ends in the same way, so repeating it does not help.
    again = await refusal(stream(server, api_key, text, request_id=request_id))
    started = started_of(events)
    ids = {"generation_id": started.generation_id, "conversation_id": started.conversation_id}
    assert (again.reason, again.metadata, text_of(again.seen)) == ("SERVER_DRAINING", ids, "ab")
    assert "ask again with a new request_id" in again.message
    if stays:
        assert (told.reason, told.metadata, told.message) == (again.reason, again.metadata, again.message)
    _, partial = await history(server, api_key, started_of(events).conversation_id)
    assert partial.state == messages_pb2.MESSAGE_STATE_INTERRUPTED
    assert partial.parts[0].text.text == "ab"
    more = await ask(server, api_key, script(deltas=["more"]), conversation_id=partial.conversation_id)
    assert more[-1].HasField("completed")


async def test_an_interrupted_turn_without_a_word_can_be_sent_again(
    run_server: RunServer, server: ServerUnderTest, api_key: ApiKey
) -> None:
    request_id = "0192f0c4-7d1a-7b3c-9a51-3a7a3a1c9f00"
    async with run_server(AICHAT_DRAIN_SECONDS="0.1", AICHAT_HEARTBEAT_SECONDS="0.05") as draining:
        running = stream(draining, api_key, script(hang=True), request_id=request_id)
        await first_event(running)
        draining.terminate()
        told = await refusal(running)
        assert (told.reason, told.message.endswith("; send it again")) == ("SERVER_DRAINING", True)
        assert await draining.process.wait() == 0
    assert text_of(await ask(server, api_key, script(deltas=["now"]), request_id=request_id)) == "now"
