"""A server goes silent behind the edge: its callers get an error within seconds, and nobody else notices.

The settings are production's: the bounds are those of docs/faults.md.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator

import grpc
import pytest
from aichat.v1 import chat_pb2_grpc
from aichat_sandbox.supervisor import until

from tests.faults.bounds import ROOM, read_bounds
from tests.faults.edge import Edged, run_edged
from tests.faults.link import Link, Way
from tests.faults.load import marked
from tests.faults.protocols import CHATS, Seen, ask, native, read, server_sent_events
from tests.faults.rig import Replica, Rig
from tests.faults.scale import IS_FULL
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import asking

BOUND = read_bounds()["edge ↔ server", "silent"]
WAYS = ("stopped", "silent from it", "silent", "silent to it", "open connections silent")
LONG = marked(words=600, interval_ms=100)
SHORT = marked(words=3)


@pytest.fixture(scope="module")
async def _edged(_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Edged, None]:
    await _rig.up()
    async with run_edged(_rig, tmp_path_factory.mktemp("edged")) as edged:
        yield edged


@pytest.fixture
async def edged(rig: Rig, _edged: Edged) -> AsyncGenerator[Edged, None]:
    """The edge finds both servers, before and after a test."""
    assert rig.postgres.running
    yield _edged
    for server, back in zip(_edged.servers, _edged.backs, strict=True):
        assert server.process is not None
        server.process.send_signal(signal.SIGCONT)
        back.heal()
        await back.restore()
    _edged.front.heal()
    async with asyncio.timeout(60):
        await until(_edged.edge.finds_all)


async def finds(edged: Edged, *backs: Link) -> None:
    """Returns once the edge sends calls to these servers, and to no others."""

    async def found() -> bool:
        return await edged.edge.found() == {back.address for back in backs}

    async with asyncio.timeout(60):
        await until(found)


async def holds(edged: Edged, back: Link, calls: int) -> None:
    """Returns once the edge has sent that number of calls there."""

    async def sent() -> bool:
        return await edged.edge.running(back.address) == calls

    async with asyncio.timeout(60):
        await until(sent)


def silence(server: Replica, back: Link, way: str) -> None:
    match way:
        case "stopped":
            assert server.process is not None
            os.kill(server.process.pid, signal.SIGSTOP)
        case "silent from it":
            back.silence(Way.DOWN)
        case "silent to it":
            back.silence(Way.UP)
        case "silent":
            back.silence()
        case _:
            back.silence_open()


def are_told(calls: list[Seen], since: float) -> None:
    """Asserts that each call failed in time, with an error that allows a retry."""
    assert {(call.code, call.reason, call.retry_after) for call in calls} == {("UNAVAILABLE", "SERVER_UNAVAILABLE", 1)}
    assert max(call.ended for call in calls) - since < BOUND.within * ROOM


@pytest.mark.parametrize("way", WAYS if IS_FULL else WAYS[:2])
async def test_its_calls_fail_and_others_go_to_another_server(edged: Edged, rig: Rig, way: str) -> None:
    (silent, well), address = edged.backs, edged.edge.address
    key, stranger = await rig.key(), await rig.key()
    await well.remove()
    await finds(edged, silent)
    async with asyncio.TaskGroup() as group:
        ask(group, native, address, key, SHORT)
    # Bytes that still arrive show that the connection is alive.
    streams = () if way == "silent to it" else CHATS
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        begun = [ask(group, how, address, key, LONG) for how in streams]
        for call in begun:
            await call.begun.wait()
        silence(edged.servers[0], silent, way)
        since = time.monotonic()
        waiting = [ask(group, how, address, key, marked(hang=True)) for how in CHATS]
        # A caller whom no server can check must not get an error that says unknown.
        waiting.append(ask(group, server_sent_events, address, stranger, "x" * 1_000_000))
        reads = [ask(group, read, address, key, "") for _ in range(3)]
        await holds(edged, silent, len(begun) + len(waiting) + len(reads))
        await well.restore()
    are_told(waiting, since)
    # A read may be retried: the edge has asked the other one.
    assert all(call.whole for call in reads)
    # A stream that had begun cannot carry the reason, and must not end as if it were complete.
    assert [(call.whole, call.code, call.reason) for call in begun] == [
        (False, "INTERNAL" if how is native else "", "") for how in streams
    ]
    assert max((call.ended for call in begun), default=since) - since < BOUND.within * ROOM
    if way != "open connections silent":
        await finds(edged, well)
    async with asyncio.TaskGroup() as group:
        later = [ask(group, how, address, key, SHORT) for how in (*CHATS, read) * 3]
    assert all(call.whole for call in later)


async def test_the_only_server_is_found_again_once_it_answers(edged: Edged, key: ApiKey) -> None:
    (only, other), address = edged.backs, edged.edge.address
    await other.remove()
    await finds(edged, only)
    only.silence(Way.DOWN)
    since = time.monotonic()
    async with asyncio.TaskGroup() as group:
        first = [ask(group, how, address, key, SHORT) for how in (*CHATS, read)]
    are_told(first, since)
    await finds(edged)
    since = time.monotonic()
    async with asyncio.TaskGroup() as group:
        next_ones = [ask(group, how, address, key, SHORT) for how in (*CHATS, read)]
    are_told(next_ones, since)
    only.heal()
    since = time.monotonic()
    await finds(edged, only)
    assert time.monotonic() - since < BOUND.back * ROOM
    async with asyncio.TaskGroup() as group:
        later = [ask(group, how, address, key, SHORT) for how in (*CHATS, read)]
    assert all(call.whole for call in later)


async def test_a_slow_server_keeps_its_calls(edged: Edged, key: ApiKey) -> None:
    (slow, other), address = edged.backs, edged.edge.address
    await other.remove()
    await finds(edged, slow)
    before = slow.accepted
    # A ping takes two seconds for the round trip, which is in time.
    slow.slow_down(delay_seconds=1.0)
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        calls = [ask(group, how, address, key, marked(words=60, interval_ms=100)) for how in CHATS]
    assert all(call.whole for call in calls)
    await finds(edged, slow)
    assert slow.accepted == before


async def test_pings_keep_a_quiet_stream_alive(edged: Edged, key: ApiKey) -> None:
    """Before the first heartbeat it carries only pings: the edge's, and those of a caller beside it."""
    text = marked(deltas=["first", "never"], hang_after=1)
    options = [
        ("grpc.keepalive_time_ms", 2_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        for address in (edged.edge.address, edged.servers[0].address):
            group.create_task(_until_heartbeat(address, options, key, text))


async def _until_heartbeat(address: str, options: list[tuple[str, int]], key: ApiKey, text: str) -> None:
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        stub: chat_pb2_grpc.ChatServiceAsyncStub = chat_pb2_grpc.ChatServiceStub(channel)
        async for event in stub.StreamChat(asking(text), metadata=key.metadata):
            if event.HasField("heartbeat"):
                return
