"""A stream whose connection breaks resumes by itself, and its user sees one stream."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from aichat.v1 import chat_pb2, events_pb2
from aichat_sdk import (
    AnswerCancelledError,
    AsyncAIChat,
    ClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    NotResumableError,
    UnavailableError,
    message_text,
    types,
)

from tests.unit.sdk.scripted import API_KEY, GENERATION, ScriptedServer, completed, fail, hang, reply, started
from tests.unit.sdk.scripted import text_delta as text

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


async def sequences(client: AsyncAIChat) -> list[int]:
    """Returns the numbers of the events that a user sees."""
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        return [event.sequence async for event in stream]


@pytest.mark.parametrize(
    "break_off",
    [
        fail(UNAVAILABLE, "", started(), text("Hel", 2)),
        fail(grpc.StatusCode.INTERNAL, "", started(), text("Hel", 2)),
        fail(UNAVAILABLE, "SERVER_UNAVAILABLE", started(), text("Hel", 2)),
        fail(UNAVAILABLE, "SERVER_DRAINING", started(), text("Hel", 2), retry_after=0.1),
    ],
    ids=["connection", "reset", "edge", "draining"],
)
async def test_it_goes_on_behind_the_last_event(server: ScriptedServer, client: AsyncAIChat, break_off: object) -> None:
    server.on("StreamChat", break_off)  # type: ignore[arg-type]
    server.on("ResumeChat", reply(text("lo", 3), completed("Hello", 4)))
    assert await sequences(client) == [1, 2, 3, 4]
    _, resumed = server.calls
    assert (resumed.method, resumed.request.generation_id, resumed.request.after_sequence) == (
        "ResumeChat",
        GENERATION,
        2,
    )


async def test_it_goes_on_after_a_silence(server: ScriptedServer) -> None:
    server.on("StreamChat", hang(started(), text("a", 2)))
    server.on("ResumeChat", reply(completed("a", 3)))
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, stall_timeout=0.2) as client:
        assert await sequences(client) == [1, 2, 3]
    async with asyncio.timeout(5):
        assert await server.cancelled.get() == "StreamChat"


async def test_it_may_break_again_and_again_as_long_as_it_gets_on(server: ScriptedServer, client: AsyncAIChat) -> None:
    busy = fail(grpc.StatusCode.ABORTED, "GENERATION_IN_PROGRESS", retry_after=0.1)
    heartbeat = chat_pb2.StreamChatResponse(sequence=2, heartbeat=events_pb2.Heartbeat())
    server.on("StreamChat", fail(UNAVAILABLE, "", started()))
    server.on("ResumeChat", fail(UNAVAILABLE, "", text("a", 2)), busy, fail(UNAVAILABLE, "", heartbeat, text("b", 3)))
    server.on("ResumeChat", reply(completed("ab", 4)))
    assert await sequences(client) == [1, 2, 2, 3, 4]
    assert [call.request.after_sequence for call in server.calls[1:]] == [1, 2, 2, 3]


async def test_tries_that_come_no_further_are_counted(server: ScriptedServer) -> None:
    server.on("StreamChat", fail(UNAVAILABLE, "", started()))
    server.on("ResumeChat", *[fail(UNAVAILABLE)] * 9)
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=1) as client:
        with pytest.raises(ConnectionFailedError):
            await sequences(client)
    assert [call.method for call in server.calls] == ["StreamChat", *["ResumeChat"] * 3]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (fail(grpc.StatusCode.CANCELLED, "GENERATION_CANCELLED"), AnswerCancelledError),
        (fail(grpc.StatusCode.FAILED_PRECONDITION, "GENERATION_NOT_RESUMABLE"), NotResumableError),
        # The answer itself was interrupted: without a delay, since waiting does not help.
        (fail(UNAVAILABLE, "SERVER_DRAINING"), UnavailableError),
        (fail(UNAVAILABLE, "SERVER_LOST"), UnavailableError),
    ],
)
async def test_the_answers_own_end_is_raised_at_once(
    server: ScriptedServer, client: AsyncAIChat, failure: object, kind: type[Exception]
) -> None:
    server.on("StreamChat", fail(UNAVAILABLE, "", started()))
    server.on("ResumeChat", failure, reply(completed("never asked for", 2)))  # type: ignore[arg-type]
    with pytest.raises(kind):
        await sequences(client)
    assert len(server.calls) == 2


async def test_the_timeout_holds_for_all_connections_together(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", fail(UNAVAILABLE, "", started()))
    server.on("ResumeChat", hang(text("a", 2)))
    async with client.chat.stream(model="model-1", text="Hi", timeout=1.5) as stream:
        with pytest.raises(DeadlineExceededError):
            await stream.get_final_message()


async def test_a_stream_that_is_closed_between_two_connections_stays_closed(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", fail(UNAVAILABLE, "", started()))
    server.on("ResumeChat", fail(UNAVAILABLE, "SERVER_UNAVAILABLE", retry_after=0.2), reply(completed("a", 2)))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        await anext(stream)
        reading = asyncio.create_task(anext(stream))
        while len(server.calls) < 2:
            await asyncio.sleep(0.01)
        await stream.close()
        with pytest.raises(ClosedError):
            await reading
    assert len(server.calls) == 2


async def test_resuming_by_hand(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ResumeChat", reply(text("lo", 3), completed("Hello", 4)))
    async with client.chat.resume(GENERATION, 2) as stream:
        assert stream.generation_id == GENERATION
        assert [piece async for piece in stream.text_stream] == ["lo"]
        assert message_text(await stream.get_final_message()) == "Hello"
    assert server.calls[0].request == chat_pb2.ResumeChatRequest(generation_id=GENERATION, after_sequence=2)


async def test_cancelling(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("CancelGeneration", reply(chat_pb2.CancelGenerationResponse(state=chat_pb2.GENERATION_STATE_CANCELLED)))
    assert await client.chat.cancel(GENERATION) is types.GenerationState.CANCELLED
    assert server.calls[0].request.generation_id == GENERATION
