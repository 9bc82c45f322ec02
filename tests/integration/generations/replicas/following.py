"""How these tests resume streams, and what they compare."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from aichat.v1 import chat_pb2

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import Event

Resumed = grpc.aio.UnaryStreamCall[chat_pb2.ResumeChatRequest, chat_pb2.ResumeChatResponse]


def resume(server: ServerUnderTest, key: ApiKey, generation_id: str, after: int = 0) -> Resumed:
    """Returns the rest of an answer as it arrives."""
    request = chat_pb2.ResumeChatRequest(generation_id=generation_id, after_sequence=after)
    return server.chat.ResumeChat(request, metadata=key.metadata)


async def cancel(server: ServerUnderTest, key: ApiKey, generation_id: str) -> chat_pb2.GenerationState.ValueType:
    """Cancels an answer; returns how it ended."""
    request = chat_pb2.CancelGenerationRequest(generation_id=generation_id)
    return (await server.chat.CancelGeneration(request, metadata=key.metadata)).state


async def everything(call: Resumed) -> list[bytes]:
    """Returns the rest of an answer that succeeds, without heartbeats."""
    return wire([event async for event in call])


def wire(events: Sequence[Event]) -> list[bytes]:
    """Returns the events as sent, without heartbeats, in the same form for both RPCs."""
    return [event.SerializeToString(deterministic=True) for event in events if not event.HasField("heartbeat")]
