"""Promises 4, 5, 15: Redis goes silent, slows down, breaks and restarts, with production's settings."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

import pytest
from aichat.v1 import chat_pb2, conversations_pb2

from tests.faults.books import audit, billed, booked
from tests.faults.link import Link, Way
from tests.faults.linked import Linked, run_linked
from tests.faults.load import Load, Turn, follow, marked
from tests.faults.rig import Replica, Rig
from tests.faults.scale import IS_FULL
from tests.faults.together import CANCELLED, cancel, endless, seen_on, work_together
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally
from tests.integration.conversations.asking import Refusal, eventually, refusal

RESTARTS = 8
ROUNDS = 40 if IS_FULL else 8
STREAMS = 8
# The time for a command that needs Redis, doubled for a busy machine.
COMMAND_SECONDS = 2 * 3.0
CANCEL_SECONDS = 2 * 10.0
DRAIN_SECONDS = 1.0

SILENT: dict[str, Callable[[Link], None]] = {
    "both ways": lambda link: link.silence(),
    "to Redis": lambda link: link.silence(Way.UP),
    "from Redis": lambda link: link.silence(Way.DOWN),
    "slow": lambda link: link.slow_down(1.5),
}
WAYS = [*SILENT] if IS_FULL else ["from Redis", "slow"]


@pytest.fixture(scope="module")
async def _linked(_rig: Rig) -> AsyncGenerator[Linked, None]:
    await _rig.up()
    async with run_linked(_rig) as running:
        yield running


@pytest.fixture
def linked(_linked: Linked) -> Linked:
    """One for all of these tests, with its links restored at the beginning of each."""
    for link in _linked.links.values():
        link.heal()
    return _linked


async def _nothing_died(linked: Linked) -> None:
    log = linked.replica.log.read_text()
    assert "background task" not in log, log
    assert "Traceback" not in log, log


async def test_servers_work_together_after_resets_and_restarts(
    rig: Rig, linked: Linked, key: ApiKey, tally: Tally
) -> None:
    both = replace(rig, replicas=(linked.replica, rig.replicas[0]))
    async with Load(both, key, STREAMS, words=30, interval_ms=40) as load:
        for number in range(ROUNDS):
            linked.redis.cut_each_within(random.choice((0, 50, 500, 5_000)), reset=number % 3 > 0)
            linked.redis.cut(reset=number % 3 > 0)
            await load.at_work(load.over)
        linked.redis.heal()
        for _ in range(RESTARTS):
            await rig.redis.kill()
            await rig.redis.start()
            await load.at_work(load.over)
    tally(faults=ROUNDS + RESTARTS, turns=len(load.turns), streams=STREAMS)
    await work_together(linked.replica, rig.replicas[0], await rig.key())
    await _nothing_died(linked)
    found = await audit(rig, key, load.turns)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.acknowledged, found.lost, found.double_billed) == (len(load.turns), 0, 0)
    assert await booked(rig, key) == await billed(rig)


async def test_silent_old_connections_do_not_stop_servers_from_listening(rig: Rig, linked: Linked, key: ApiKey) -> None:
    here, there = linked.replica, rig.replicas[0]
    await work_together(here, there, key)
    async with endless(here, key) as ours, endless(there, key) as theirs:
        linked.redis.silence_open()
        assert await cancel(there, ours) == CANCELLED
        linked.redis.silence_open()
        assert await cancel(here, theirs) == CANCELLED
    async with endless(here, key) as ours, endless(there, key) as theirs:
        linked.redis.silence_open()
        assert await seen_on(here, theirs) == theirs.seen
        linked.redis.silence_open()
        assert await seen_on(there, ours) == ours.seen
        await cancel(here, ours)
        await cancel(there, theirs)
    await _nothing_died(linked)


@pytest.mark.parametrize("way", WAYS)
async def test_a_silent_redis_delays_no_call_that_does_not_need_it(
    rig: Rig, linked: Linked, key: ApiKey, way: str
) -> None:
    here, there = linked.replica, rig.replicas[0]
    await work_together(here, there, key)
    async with endless(there, key) as theirs:
        SILENT[way](linked.redis)
        # One wait for all concurrent calls.
        await asyncio.gather(*(_list(here, key) for _ in range(5)))
        began = time.monotonic()
        for _ in range(10):
            await _list(here, key)
            turn = Turn(key, marked(words=3))
            assert not await follow(turn, here)
        assert turn.completed is not None
        assert time.monotonic() - began < 10
        async with endless(here, key) as ours:
            assert await seen_on(here, ours) == ours.seen
            assert await cancel(here, ours) == CANCELLED

        # A call that needs it fails, and gets the reason.
        assert theirs.started is not None
        request = chat_pb2.ResumeChatRequest(generation_id=theirs.started.generation_id)
        refused = await _within(COMMAND_SECONDS, refusal(here.chat.ResumeChat(request, metadata=key.metadata)))
        assert refused.reason == "GENERATION_IN_PROGRESS"
        refused = await _within(CANCEL_SECONDS, refusal(cancel(here, theirs)))
        assert refused.reason == "GENERATION_IN_PROGRESS"
        linked.redis.heal()
        await work_together(here, there, key)
        await cancel(there, theirs)
    await _nothing_died(linked)


@pytest.mark.parametrize("way", WAYS)
async def test_readers_on_another_server_get_every_event_once(rig: Rig, linked: Linked, key: ApiKey, way: str) -> None:
    here, there = linked.replica, rig.replicas[0]
    turn = Turn(key, marked(words=60, interval_ms=100))
    writing = asyncio.create_task(follow(turn, here))
    await eventually(lambda: _told(turn, 3), bool)
    before = Turn(key, turn.text, started=turn.started)
    reading = asyncio.create_task(follow(before, there, resume=True))
    await eventually(lambda: _told(before, 3), bool)
    SILENT[way](linked.redis)
    reached = turn.sequence
    await eventually(lambda: _told(turn, reached + 20), bool)
    linked.redis.heal()
    assert [await writing, await reading] == ["", ""]
    after = Turn(key, turn.text, started=turn.started)
    assert not await follow(after, there, resume=True)
    assert turn.completed is not None
    assert before.completed == after.completed == turn.completed
    assert before.seen == after.seen == turn.seen


async def test_a_drain_takes_no_longer_while_redis_is_silent(rig: Rig, key: ApiKey) -> None:
    async with run_linked(rig, AICHAT_DRAIN_SECONDS=str(DRAIN_SECONDS)) as linked, endless(linked.replica, key):
        linked.redis.silence()
        began = time.monotonic()
        assert await linked.replica.drain() == 0
        assert time.monotonic() - began < DRAIN_SECONDS + 2 * 5


async def _list(server: Replica, key: ApiKey) -> None:
    request = conversations_pb2.ListConversationsRequest()
    await server.conversations.ListConversations(request, metadata=key.metadata)


async def _told(turn: Turn, events: int) -> bool:
    return turn.sequence >= events


async def _within(seconds: float, refused: Awaitable[Refusal]) -> Refusal:
    async with asyncio.timeout(seconds):
        return await refused
