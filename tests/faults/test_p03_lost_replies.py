"""Promise 3, and with it 1 and 2: a message to or from Postgres that is lost costs no answer and no second charge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import grpc
import pytest
from aichat_server.plans.domain import Plan

from tests.faults.checker import faults_in
from tests.faults.link import Fate
from tests.faults.linked import Linked, run_linked
from tests.faults.load import Answer, Turn, follow, marked, reason_of
from tests.faults.rig import Replica, Rig
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, minted_key
from tests.integration.conversations.asking import eventually, first_event, times_asked

FATES = pytest.mark.parametrize("fate", list(Fate), ids=lambda fate: fate.name.lower())
MOVE_ON_SECONDS = 10.0
"""Five are promised, doubled for a busy machine."""
FREE_SECONDS = 20.0
"""How long after the database is back nothing may be held any more. A lease alone would last for thirty."""


@pytest.fixture(scope="module")
async def _linked(_rig: Rig) -> AsyncGenerator[Linked, None]:
    await _rig.up()
    async with run_linked(_rig) as linked:
        yield linked


@pytest.fixture
async def linked(_linked: Linked, key: ApiKey) -> AsyncGenerator[Linked, None]:
    """A server that knows the key, and has a working connection."""
    await answered(_linked.replica, key)
    yield _linked
    _linked.postgres.heal()


async def answered(replica: Replica, key: ApiKey, **script: object) -> Turn:
    """Returns a turn that ends at once."""
    turn = Turn(key, marked(**(script or {"words": 2})))
    assert not await follow(turn, replica)
    return turn


def marker(turn: Turn) -> bytes:
    """Returns bytes that only the begin of this turn sends to the database."""
    return turn.text[-36:].encode()


@FATES
@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_call_continues_when_its_begin_was_lost(
    rig: Rig, key: ApiKey, linked: Linked, fate: Fate, *, repeatable: bool
) -> None:
    turn = Turn(key, marked(words=5), request_id=str(uuid4()) if repeatable else "")
    lost = linked.postgres.doom(marker(turn), fate)
    before = time.monotonic()
    async with asyncio.timeout(60):
        assert not await follow(turn, linked.replica)
    assert time.monotonic() - before < MOVE_ON_SECONDS
    assert lost.is_set()
    assert turn.completed is not None
    assert times_asked(rig.vendors, turn.text) == 1
    assert not await faults_in(rig.owner_url, key.organization_id, [turn])


async def test_a_turn_that_continues_reads_its_conversation(rig: Rig, key: ApiKey, linked: Linked) -> None:
    first = await answered(linked.replica, key, deltas=["What I said before."])
    assert first.started is not None
    turn = Turn(key, marked(words=1), conversation_id=first.started.conversation_id)
    lost = linked.postgres.doom(marker(turn), Fate.REPLY_LOST)
    assert not await follow(turn, linked.replica)
    assert lost.is_set()
    [asked] = [entry for entry in rig.vendors.log() if turn.text[-36:] in str(entry["body"])]
    assert "What I said before." in str(asked["body"])


@pytest.mark.parametrize("begun", [True, False])
async def test_a_turn_of_unknown_begin_is_released_soon(rig: Rig, key: ApiKey, linked: Linked, *, begun: bool) -> None:
    turn = Turn(key, marked(words=3))
    if begun:
        lost = linked.postgres.doom(marker(turn), Fate.REPLY_LOST)
        sending = asyncio.create_task(follow(turn, linked.replica))
        await lost.wait()
        linked.postgres.silence()
    else:
        linked.postgres.silence()
        sending = asyncio.create_task(follow(turn, linked.replica))
    before = time.monotonic()
    async with asyncio.timeout(60):
        assert await sending == "STORAGE_UNAVAILABLE"
    assert time.monotonic() - before < MOVE_ON_SECONDS
    if begun:
        # The others know that it has begun, and nobody waits for an answer that no server writes.
        before = time.monotonic()
        assert await follow(turn.again(), rig.replicas[0]) == "GENERATION_IN_PROGRESS"
        assert time.monotonic() - before < MOVE_ON_SECONDS
    linked.postgres.heal()
    # The delayed bytes arrive late, and begin nothing.
    assert not await faults_in(rig.owner_url, key.organization_id, [], quiet_seconds=FREE_SECONDS)
    assert not times_asked(rig.vendors, turn.text)
    # A repeat that arrives while the first call is abandoned gets the end of that one, and is sent again.
    turn = turn.again()
    async with asyncio.timeout(FREE_SECONDS):
        while failure := await follow(turn, rig.replicas[0]):
            assert failure in {"STORAGE_UNAVAILABLE", "GENERATION_IN_PROGRESS"}
            turn = turn.again()
    assert not await faults_in(rig.owner_url, key.organization_id, [turn])
    assert times_asked(rig.vendors, turn.text) == 1


async def test_a_repeat_ends_while_the_first_call_is_abandoned(rig: Rig, key: ApiKey, linked: Linked) -> None:
    """It gets heartbeats, then an end, and the next one begins; nobody waits for a lease."""
    turn = Turn(key, marked(words=3))
    lost = linked.postgres.doom(marker(turn), Fate.REPLY_LOST)
    sending = asyncio.create_task(follow(turn, linked.replica))
    await lost.wait()
    linked.postgres.silence()
    repeats = [asyncio.create_task(follow(turn.again(), replica)) for replica in (*rig.replicas, linked.replica)]
    assert await sending == "STORAGE_UNAVAILABLE"
    linked.postgres.heal()
    async with asyncio.timeout(FREE_SECONDS):
        assert set(await asyncio.gather(*repeats)) <= {"STORAGE_UNAVAILABLE", "GENERATION_IN_PROGRESS", ""}
        last = turn.again()
        while reason := await follow(last, linked.replica):
            assert reason in {"STORAGE_UNAVAILABLE", "GENERATION_IN_PROGRESS"}
    assert times_asked(rig.vendors, turn.text) == 1
    assert not await faults_in(rig.owner_url, key.organization_id, [last])


async def test_stream_slots_are_released_once(rig: Rig, linked: Linked) -> None:
    """They are some of the four concurrent answers that Free allows."""
    key = await minted_key(rig.database, plan=Plan.FREE)
    await answered(linked.replica, key)
    turns = [Turn(key, marked(words=2)) for _ in range(4)]
    linked.postgres.silence()
    reasons = await asyncio.gather(*(follow(turn, linked.replica) for turn in turns))
    assert set(reasons) == {"STORAGE_UNAVAILABLE"}
    linked.postgres.heal()
    assert not await faults_in(rig.owner_url, key.organization_id, [], quiet_seconds=FREE_SECONDS)
    held = [Turn(key, marked(words=2, idle_after=1)) for _ in range(5)]
    calls = [turn.send(linked.replica) for turn in held]
    firsts = [await first_of(call) for call in calls]
    assert firsts == ["", "", "", "", "RATE_LIMITED"]
    for call in calls:
        call.cancel()


async def first_of(call: Answer) -> str:
    """Returns why there is no first event, or nothing."""
    try:
        await first_event(call)
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return ""


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_caller_disconnects_while_the_begin_is_lost(
    rig: Rig, key: ApiKey, linked: Linked, *, cancels: bool
) -> None:
    turn = Turn(key, marked(words=3), cancel_on_disconnect=cancels)
    lost = linked.postgres.doom(marker(turn), Fate.REPLY_LOST)
    call = turn.send(linked.replica)
    sending = asyncio.create_task(first_of(call))
    await lost.wait()
    call.cancel()
    await asyncio.wait({sending})

    async def states() -> list[str]:
        async with connection(rig.owner_url) as owner:
            query = "SELECT state FROM aichat.generations WHERE org_id = $1 ORDER BY started_at"
            return [row["state"] for row in await owner.fetch(query, UUID(key.organization_id))]

    # The first is the fixture's.
    assert (await eventually(states, lambda seen: len(seen) == 2 and "running" not in seen))[1] == (
        "cancelled" if cancels else "complete"
    )
    assert not await faults_in(rig.owner_url, key.organization_id, [], quiet_seconds=FREE_SECONDS)


@FATES
async def test_a_lost_end_is_sent_and_booked_once(rig: Rig, key: ApiKey, linked: Linked, fate: Fate) -> None:
    turn = Turn(key, marked(deltas=["pieces of ", f"{fate.name} ", "and an end"], interval_ms=20))
    # Sent in one piece, the words appear only in the statement that ends the turn.
    lost = linked.postgres.doom(f"pieces of {fate.name} and an end".encode(), fate)
    async with asyncio.timeout(60):
        assert not await follow(turn, linked.replica)
    assert lost.is_set()
    assert turn.completed is not None
    assert not await faults_in(rig.owner_url, key.organization_id, [turn])
