"""Promises 1, 8 and 16: a server holds an answer until it can store it, or must stop, while the database is silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager

import pytest
from aichat.v1 import chat_pb2, conversations_pb2, messages_pb2, usage_pb2, usage_pb2_grpc

from tests.faults.books import history_of
from tests.faults.checker import faults_in
from tests.faults.linked import Linked, run_linked
from tests.faults.load import MODELS, Turn, follow, marked
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import eventually, refusal

HEARTBEAT_SECONDS = 1.0
LEASE_SECONDS = 9.0
"""More than a third of it and one try of five seconds together."""
DRAIN_SECONDS = 2.0
CALL_SECONDS = 5.0
# The promised longest silence of a stream, doubled for a busy machine.
SILENT_SECONDS = 2 * HEARTBEAT_SECONDS
STORED_SECONDS = 15.0
"""A try of five seconds that has just begun, a pause and the next try, doubled for a busy machine."""


@asynccontextmanager
async def run_patient(rig: Rig, **settings: str) -> AsyncGenerator[Linked, None]:
    """Runs a server with short leases."""
    more = {"AICHAT_LEASE_SECONDS": str(LEASE_SECONDS), "AICHAT_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS)}
    async with run_linked(rig, **more, **settings) as linked:
        yield linked


async def shown(turns: list[Turn], words: int) -> None:
    """Waits until each of the turns has shown `words` words."""

    async def least() -> int:
        return min(len(turn.seen.split()) for turn in turns)

    await eventually(least, lambda count: count >= words)


@pytest.mark.parametrize("way", ["all", "open"])
async def test_answers_that_end_while_the_database_is_silent_are_stored_as_complete(
    rig: Rig, key: ApiKey, way: str
) -> None:
    """Even if their leases expire in the meantime, while the worker that ends lost answers reaches the database."""
    async with run_patient(rig) as linked, rig.reaping():
        turns = [Turn(key, marked(words=10, interval_ms=50), MODELS[n % len(MODELS)]) for n in range(6)]
        reading = asyncio.gather(*(follow(turn, linked.replica) for turn in turns))
        await shown(turns, 2)
        if way == "open":
            linked.postgres.silence_open()
        else:
            linked.postgres.silence()
        await shown(turns, 10)
        if way == "all":
            await asyncio.sleep(max(SCALE.broken_seconds, 1.5 * LEASE_SECONDS))
            assert not any(turn.is_over for turn in turns)
            linked.postgres.heal()
        async with asyncio.timeout(STORED_SECONDS):
            assert await reading == [""] * len(turns)
    assert max(turn.longest_wait for turn in turns) < SILENT_SECONDS
    assert not await faults_in(rig.owner_url, key.organization_id, turns)
    assert all(turn.completed is not None for turn in turns)


async def test_a_drain_with_a_silent_database_ends_in_time_and_loses_no_text(rig: Rig, key: ApiKey) -> None:
    async with run_patient(rig, AICHAT_DRAIN_SECONDS=str(DRAIN_SECONDS)) as linked, rig.reaping():
        # Some are complete and wait to be stored; for others the vendor never sends the end.
        scripts = ({"words": 60, "interval_ms": 20}, {"words": 8, "interval_ms": 20, "idle_after": 6})
        turns = [Turn(key, marked(**scripts[n % 2])) for n in range(6)]
        reading = asyncio.gather(*(follow(turn, linked.replica) for turn in turns))
        await shown(turns, 1)
        linked.postgres.silence()
        await shown(turns, 6)
        before = time.monotonic()
        await linked.replica.drain()
        took = time.monotonic() - before
        assert took < DRAIN_SECONDS + 5 + 3, "the process must be gone 5 s after its grace; 3 s are for a busy machine"
        # They get an error, and are not cut off.
        assert set(await reading) == {"STORAGE_UNAVAILABLE"}
        linked.postgres.heal()
        assert not await faults_in(rig.owner_url, key.organization_id, turns)
    for turn in turns:
        _, partial = await history_of(rig.replicas[0], turn)
        assert (partial.state, partial.parts[0].text.text) == (messages_pb2.MESSAGE_STATE_INTERRUPTED, turn.seen)


async def test_no_stream_is_silent_while_a_turn_begins(rig: Rig, key: ApiKey) -> None:
    """Neither the stream that begins the turn, nor one that waits for it on another server."""
    async with run_patient(rig) as linked:
        assert not await follow(Turn(key, marked(words=1)), linked.replica)
        turn = Turn(key, marked(words=3))
        lost = linked.postgres.lose_reply_to(turn.text[-36:].encode())
        sending = asyncio.create_task(follow(turn, linked.replica))
        await lost.wait()
        linked.postgres.silence()
        repeat = turn.again()
        waiting = asyncio.create_task(follow(repeat, rig.replicas[0]))
        assert await sending == "STORAGE_UNAVAILABLE"
        await waiting
        linked.postgres.heal()
        assert max(turn.longest_wait, repeat.longest_wait) < SILENT_SECONDS
        assert not await faults_in(rig.owner_url, key.organization_id, [])


async def test_calls_that_need_a_silent_database_fail_in_time(rig: Rig, key: ApiKey) -> None:
    async with run_patient(rig) as linked:
        turn = Turn(key, marked(words=1))
        assert not await follow(turn, linked.replica)
        assert turn.started is not None
        generation_id, conversation_id = turn.started.generation_id, turn.started.conversation_id
        linked.postgres.silence()
        asked = linked.replica
        calls: list[Awaitable[object]] = [
            asked.conversations.ListMessages(
                conversations_pb2.ListMessagesRequest(conversation_id=conversation_id), metadata=key.metadata
            ),
            asked.conversations.ListConversations(conversations_pb2.ListConversationsRequest(), metadata=key.metadata),
            asked.chat.CancelGeneration(
                chat_pb2.CancelGenerationRequest(generation_id=generation_id), metadata=key.metadata
            ),
            usage_pb2_grpc.UsageServiceStub(asked.channel).GetQuotas(
                usage_pb2.GetQuotasRequest(), metadata=key.metadata
            ),
        ]
        before = time.monotonic()
        failed = await asyncio.gather(*map(refusal, calls))
        assert {one.reason for one in failed} == {"STORAGE_UNAVAILABLE"}
        assert time.monotonic() - before < 2 * CALL_SECONDS
