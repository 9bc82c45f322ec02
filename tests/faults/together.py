"""What two servers do with each other's answers over Redis, and whether that works now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import grpc
from aichat.v1 import chat_pb2

from tests.faults.load import Turn, marked
from tests.faults.rig import Replica
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import eventually

CANCELLED = chat_pb2.GENERATION_STATE_CANCELLED


@asynccontextmanager
async def endless(server: Replica, key: ApiKey) -> AsyncGenerator[Turn, None]:
    """An answer on that server that has three words and continues until it is cancelled."""
    turn = Turn(key, marked(deltas=["a ", "b ", "c ", "d"], hang_after=3))
    call = turn.send(server)
    async for event in call:
        turn.take(event)
        if turn.seen == "a b c ":
            break
    try:
        yield turn
    finally:
        call.cancel()


async def cancel(server: Replica, turn: Turn) -> chat_pb2.GenerationState.ValueType:
    """Cancels the answer on that server; returns how it ended."""
    assert turn.started is not None
    request = chat_pb2.CancelGenerationRequest(generation_id=turn.started.generation_id)
    return (await server.chat.CancelGeneration(request, metadata=turn.key.metadata)).state


async def seen_on(server: Replica, turn: Turn) -> str:
    """Returns the answer's text so far, read on that server from the beginning."""
    assert turn.started is not None
    seen = ""
    call = server.chat.ResumeChat(
        chat_pb2.ResumeChatRequest(generation_id=turn.started.generation_id), metadata=turn.key.metadata
    )
    async for event in call:
        seen += event.text_delta.text
        if seen == turn.seen:
            break
    call.cancel()
    return seen


async def work_together(one: Replica, other: Replica, key: ApiKey) -> None:
    """Waits until each server can read and cancel new answers of the other."""

    async def reads_and_cancels(writer: Replica, reader: Replica) -> bool:
        async with endless(writer, key) as turn:
            try:
                async with asyncio.timeout(20):
                    return await seen_on(reader, turn) == turn.seen and await cancel(reader, turn) == CANCELLED
            except (grpc.aio.AioRpcError, TimeoutError):
                with suppress(grpc.aio.AioRpcError):
                    await cancel(writer, turn)
                return False

    for writer, reader in ((one, other), (other, one)):
        await eventually(lambda writer=writer, reader=reader: reads_and_cancels(writer, reader), bool)  # type: ignore[misc]
