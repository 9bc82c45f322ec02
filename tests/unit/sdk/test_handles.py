"""Every failure after an answer has begun names that answer, so that it can be resumed."""

from __future__ import annotations

import grpc
import pytest
from aichat.v1 import chat_pb2, events_pb2
from aichat_sdk import AIChatError, AsyncAIChat, ClosedError, ConflictError

from tests.unit.sdk.scripted import (
    API_KEY,
    GENERATION,
    Behaviour,
    ScriptedServer,
    fail,
    hang,
    reply,
    started,
    text_delta,
)

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EMPTY_END = chat_pb2.StreamChatResponse(sequence=3, completed=events_pb2.ChatCompleted())
FAILURES: dict[str, Behaviour] = {
    "the vendor's": fail(UNAVAILABLE, "PROVIDER_STREAM_BROKEN", started(), text_delta("a"), metadata={"provider": "p"}),
    "before a word": fail(UNAVAILABLE, "SERVER_LOST", started()),
    "with other metadata": fail(
        grpc.StatusCode.CANCELLED, "GENERATION_CANCELLED", started(), metadata={"generation_id": GENERATION}
    ),
    "without a reason": fail(grpc.StatusCode.DATA_LOSS, "", started()),
    "an early end": reply(started(), text_delta("a")),
    "an end without a message": reply(started(), EMPTY_END),
    "out of time": hang(started(), text_delta("a")),
}


@pytest.mark.parametrize("behaviour", FAILURES.values(), ids=FAILURES)
async def test_a_failed_send_says_which_answer_it_was(server: ScriptedServer, behaviour: Behaviour) -> None:
    server.on("StreamChat", behaviour)
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=0) as client:
        with pytest.raises(AIChatError) as caught:
            # Long enough for the answer to begin, on any machine.
            await client.chat.send(model="m", text="Hi", timeout=5)
    assert (caught.value.generation_id, caught.value.conversation_id) == (GENERATION, "conversation-1")


async def test_a_stream_that_is_read_after_its_end_says_so_too(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", hang(started()))
    async with client.chat.stream(model="m", text="Hi") as stream:
        pass
    with pytest.raises(ClosedError) as caught:
        await stream.get_final_message()
    assert (caught.value.generation_id, caught.value.conversation_id) == (GENERATION, "conversation-1")


async def test_a_resumed_stream_says_what_it_knows(server: ScriptedServer, client: AsyncAIChat) -> None:
    lost = fail(UNAVAILABLE, "SERVER_LOST", chat_pb2.ResumeChatResponse(sequence=1, started=started().started))
    server.on("ResumeChat", lost, fail(UNAVAILABLE, "SERVER_LOST"))
    for known in ("conversation-1", None):
        with pytest.raises(AIChatError) as caught:
            async with client.chat.resume(GENERATION) as stream:
                await stream.get_final_message()
        assert (caught.value.generation_id, caught.value.conversation_id) == (GENERATION, known)


async def test_before_an_answer_has_begun_it_is_what_the_platform_says(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    reused = (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    server.on("StreamChat", fail(*reused), fail(*reused, metadata={"generation_id": "g", "conversation_id": "c"}))
    for known in ((None, None), ("g", "c")):
        with pytest.raises(ConflictError) as caught:
            await client.chat.send(model="m", text="Hi")
        assert (caught.value.generation_id, caught.value.conversation_id) == known
