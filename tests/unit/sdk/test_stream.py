"""An answer's stream, as a user of the SDK sees it."""

from __future__ import annotations

import asyncio
import uuid
from decimal import Decimal

import grpc
import pytest
from aichat.v1 import chat_pb2, events_pb2, messages_pb2, options_pb2
from aichat_sdk import (
    AsyncAIChat,
    ClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    ProviderError,
    ServerError,
    cost_usd,
    message_text,
    types,
)
from google.type.money_pb2 import Money

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, completed, fail, hang, reply, started, text_delta


async def test_text_stream_gives_the_text_and_the_final_message_follows(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", answer("Hel", "lo ", "wörld"))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        assert stream.started.conversation_id == "conversation-1"
        assert [text async for text in stream.text_stream] == ["Hel", "lo ", "wörld"]
        message = await stream.get_final_message()
    assert message_text(message) == "Hello wörld"
    assert message.stop_reason is types.StopReason.END_TURN
    assert cost_usd(message) == Decimal("0.00123")
    assert await stream.get_final_text() == "Hello wörld", "what was read stays readable after the block"


async def test_usage_is_the_last_report(server: ScriptedServer, client: AsyncAIChat) -> None:
    told = events_pb2.ChatUsage(usage=messages_pb2.Usage(output_tokens=7, estimated=True), cost=Money(nanos=5))
    usage = chat_pb2.StreamChatResponse(sequence=2, usage=told)
    server.on("StreamChat", reply(started(), usage, text_delta("Yes", 3), completed("Yes", 4)))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        seen = [stream.usage]
        async for _ in stream.text_stream:
            seen.append(stream.usage)  # noqa: PERF401 — it changes while the stream is read
        message = await stream.get_final_message()
    estimate = types.ChatUsage(usage=types.Usage(output_tokens=7, estimated=True), cost=types.Money(nanos=5))
    assert seen == [None, estimate]
    assert stream.usage == types.ChatUsage(usage=message.usage, cost=message.cost)


async def test_heartbeats_may_come_ahead_of_the_beginning(server: ScriptedServer, client: AsyncAIChat) -> None:
    heartbeat = chat_pb2.StreamChatResponse(heartbeat=events_pb2.Heartbeat())
    server.on("StreamChat", reply(heartbeat, heartbeat, started(), text_delta("Yes", 2), completed("Yes", 3)))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        assert [event.sequence async for event in stream] == [1, 2, 3]


async def test_events_come_as_sent_heartbeats_and_reasoning_included(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    reasoning = chat_pb2.StreamChatResponse(sequence=2, reasoning_delta=events_pb2.ReasoningDelta(text="Hm"))
    heartbeat = chat_pb2.StreamChatResponse(sequence=2, heartbeat=events_pb2.Heartbeat())
    server.on("StreamChat", reply(started(), reasoning, heartbeat, text_delta("Yes", 3), completed("Yes", 4)))
    seen = []
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        async for event in stream:
            match event:
                case types.ChatEvent(reasoning_delta=types.ReasoningDelta(text=text)):
                    seen.append(f"reasoning {text}")
                case types.ChatEvent(text_delta=types.TextDelta(text=text)):
                    seen.append(f"text {text}")
                case types.ChatEvent(heartbeat=types.Heartbeat()):
                    seen.append("heartbeat")
                case _:
                    seen.append(f"sequence {event.sequence}")
    assert seen == ["sequence 1", "reasoning Hm", "heartbeat", "text Yes", "sequence 4"]


async def test_final_message_can_be_had_without_reading_the_stream(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("All", " at once"), answer("Sent"))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        assert await stream.get_final_text() == "All at once"
    assert message_text(await client.chat.send(model="model-1", text="Hi")) == "Sent"


async def test_request_carries_what_was_asked_for(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("A"), answer("B"))
    conversation, parent, request_id = (str(uuid.uuid4()) for _ in range(3))
    await client.chat.send(
        model="model-1",
        parts=[types.Part(text=types.TextPart(text="one")), types.Part(text=types.TextPart(text="two"))],
        conversation_id=conversation,
        parent_message_id=parent,
        request_id=request_id,
        max_output_tokens=7,
        temperature=0.0,
        stop="END",
        system_prompt="Be brief.",
        reasoning_effort="low",
    )
    await client.chat.send(model="model-1", text="Hi")
    full, bare = (call.request for call in server.calls)
    assert [part.text.text for part in full.parts] == ["one", "two"]
    assert (full.conversation_id, full.parent_message_id, full.request_id) == (conversation, parent, request_id)
    assert (full.options.max_output_tokens, full.options.temperature, list(full.options.stop)) == (7, 0.0, ["END"])
    assert full.options.HasField("temperature"), "a temperature of 0 is not the default"
    assert full.options.system_prompt == "Be brief."
    assert full.options.reasoning_effort == options_pb2.REASONING_EFFORT_LOW
    assert uuid.UUID(bare.request_id).version == 4
    assert not bare.options.HasField("max_output_tokens")
    assert not bare.options.HasField("temperature")


async def test_call_carries_key_and_user_agent_and_no_deadline(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("A"))
    await client.chat.send(model="model-1", text="Hi")
    (call,) = server.calls
    assert call.metadata["authorization"] == f"Bearer {API_KEY}"
    assert str(call.metadata["user-agent"]).startswith("aichat-sdk-python/")
    assert call.time_remaining is None


async def test_leaving_early_closes_the_call(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", hang(started(), text_delta("Well")))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        async for text in stream.text_stream:
            assert text == "Well"
            break
    async with asyncio.timeout(5):
        assert await server.cancelled.get() == "StreamChat"
    with pytest.raises(ClosedError):
        await stream.get_final_message()


async def test_failure_of_the_block_closes_the_call_and_comes_through(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", hang(started()))
    with pytest.raises(ZeroDivisionError):
        async with client.chat.stream(model="model-1", text="Hi"):
            raise ZeroDivisionError
    async with asyncio.timeout(5):
        assert await server.cancelled.get() == "StreamChat"


async def test_failure_in_the_middle_comes_after_the_text_and_stays(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    broken = fail(grpc.StatusCode.UNAVAILABLE, "PROVIDER_STREAM_BROKEN", started(), text_delta("Half"))
    server.on("StreamChat", broken, answer("never asked for"))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        assert await anext(stream.text_stream) == "Half"
        with pytest.raises(ProviderError) as caught:
            await anext(stream)
        with pytest.raises(ProviderError):
            await stream.get_final_message()
    assert caught.value.reason == "PROVIDER_STREAM_BROKEN"
    assert len(server.calls) == 1


async def test_silence_longer_than_the_stall_timeout_ends_the_call(server: ScriptedServer) -> None:
    server.on("StreamChat", hang(started(), text_delta("Well")))
    async with (
        AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, stall_timeout=0.2, max_retries=0) as client,
        client.chat.stream(model="model-1", text="Hi") as stream,
    ):
        with pytest.raises(ConnectionFailedError, match=r"nothing came .* for 0\.2 s"):
            await stream.get_final_message()
    assert len(server.calls) == 1


async def test_stream_may_be_given_a_deadline(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", hang(started()))
    async with client.chat.stream(model="model-1", text="Hi", timeout=0.3) as stream:
        with pytest.raises(DeadlineExceededError, match="timeout") as caught:
            await stream.get_final_message()
    assert caught.value.status == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize(
    "messages", [(), (text_delta("no start"),), (started(),)], ids=["nothing", "no started", "no completed"]
)
async def test_stream_that_breaks_the_contract_is_a_server_error(
    server: ScriptedServer, client: AsyncAIChat, messages: tuple[chat_pb2.StreamChatResponse, ...]
) -> None:
    server.on("StreamChat", reply(*messages))
    with pytest.raises(ServerError):
        await client.chat.send(model="model-1", text="Hi")


async def test_completed_answer_counts_however_the_connection_ends(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", fail(grpc.StatusCode.UNAVAILABLE, "", started(), completed("Done")))
    assert message_text(await client.chat.send(model="model-1", text="Hi")) == "Done"


async def test_cancelling_the_reader_closes_the_stream(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", hang(started(), text_delta("Well")))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await stream.get_final_message()
        with pytest.raises(ClosedError):
            await anext(stream)


async def test_closing_the_client_ends_what_is_under_way_with_a_typed_error(server: ScriptedServer) -> None:
    client = AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY)
    server.on("StreamChat", hang(started()))
    async with client.chat.stream(model="model-1", text="Hi") as stream:
        reading = asyncio.create_task(stream.get_final_message())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ClosedError):
            await reading
    with pytest.raises(ClosedError):
        await client.models.list()


@pytest.mark.parametrize("text", ["\ud83d", "half \udc80 a pair"])
async def test_lone_surrogate_is_refused_before_anything_is_sent(
    server: ScriptedServer, client: AsyncAIChat, text: str
) -> None:
    with pytest.raises(InvalidRequestError, match="surrogate"):
        await client.chat.send(model="model-1", text=text)
    with pytest.raises(InvalidRequestError, match="surrogate"):
        await client.conversations.create(title=text)
    assert server.calls == []


async def test_message_is_either_text_or_parts(server: ScriptedServer, client: AsyncAIChat) -> None:
    with pytest.raises(InvalidRequestError, match="text"):
        await client.chat.send(model="model-1")
    with pytest.raises(InvalidRequestError, match="text"):
        await client.chat.send(model="model-1", text="Hi", parts=[])
    with pytest.raises(InvalidRequestError, match="reasoning_effort"):
        await client.chat.send(model="model-1", text="Hi", reasoning_effort="huge")  # type: ignore[call-overload]
    assert server.calls == []
