"""Connections are held until the next tick, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aichat_server.providers.gateway.tick import Tick, Window, report_at_once

WIDEST = 0.05
NEVER = 24 * 3600.0


@pytest.mark.parametrize(("share", "seconds"), [(0.0, 0.02), (0.0625, 0.035), (0.125, 0.05), (0.9, 0.05), (1.7, 0.05)])
def test_the_window_widens_with_the_share_of_the_core_that_the_process_uses(share: float, seconds: float) -> None:
    window = Window(WIDEST)
    assert [window.seconds(now, share * now) for now in range(5)][-1] == pytest.approx(seconds)


def test_the_window_is_narrow_at_first_and_again_after_a_busy_time() -> None:
    window = Window(WIDEST)
    assert window.seconds(0.0, 7.0) == pytest.approx(0.02)
    assert window.seconds(10.0, 17.0) == pytest.approx(0.05)
    assert window.seconds(20.0, 17.0) == pytest.approx(0.02)


def test_a_short_burst_widens_the_window_little() -> None:
    window = Window(WIDEST)
    window.seconds(0.0, 0.0)
    assert 0.02 < window.seconds(0.02, 0.02) < 0.03


class Wire(asyncio.Protocol):
    """A connection, and the one who writes to it."""

    def __init__(self) -> None:
        self.received = 0
        self.lost = False
        self.transport: asyncio.Transport
        self.writer: asyncio.StreamWriter
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — however it was lost
        self.lost = True
        self._changed.set()

    async def got(self, size: int, *, lost: bool = False) -> None:
        """Returns once `size` bytes have arrived in all, and, if `lost`, the end of the connection."""
        async with asyncio.timeout(60):
            while self.received < size or self.lost < lost:
                await self._changed.wait()
                self._changed.clear()


@asynccontextmanager
async def wires(number: int) -> AsyncGenerator[list[Wire], None]:
    """Open connections."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
    made = []
    for _ in range(number):
        _, wire = await loop.create_connection(Wire, *server.sockets[0].getsockname())
        wire.writer = await accepted.get()
        made.append(wire)
    try:
        yield made
    finally:
        for wire in made:
            wire.transport.close()
            wire.writer.close()
        server.close()


async def held(tick: Tick, wire: Wire) -> None:
    """Holds a connection past the first tick, which comes at once."""
    tick.hold(wire.transport)
    wire.writer.write(b"1")
    await wire.got(1)
    tick.hold(wire.transport)


async def test_what_is_held_is_read_at_the_next_tick_each_time() -> None:
    tick = Tick(WIDEST)
    async with wires(3) as connections:
        for size in range(1, 6):
            for wire in connections:
                tick.hold(wire.transport)
                wire.writer.write(b"x")
            for wire in connections:
                await wire.got(size)


async def test_bytes_gather_until_the_connection_is_released() -> None:
    tick = Tick(NEVER)
    async with wires(2) as (wire, other):
        await held(tick, wire)
        for _ in range(3):
            wire.writer.write(b"x")
            other.writer.write(b"x")
            await wire.writer.drain()
        await other.got(3)
        assert wire.received == 1
        tick.release(wire.transport)
        await wire.got(4)


async def test_the_end_of_a_connection_is_seen_while_it_is_held() -> None:
    tick = Tick(NEVER)
    async with wires(1) as [wire]:
        await held(tick, wire)
        wire.writer.write(b"x")
        wire.writer.close()
        await wire.got(2, lost=True)


async def test_a_broken_connection_is_seen_while_it_is_held() -> None:
    tick = Tick(NEVER)
    async with wires(1) as [wire]:
        await held(tick, wire)
        wire.writer.transport.abort()
        await wire.got(1, lost=True)


async def test_many_bytes_are_read_at_once() -> None:
    tick = Tick(NEVER)
    async with wires(1) as [wire]:
        await held(tick, wire)
        wire.writer.write(bytes(100_000))
        await wire.got(50_000)


async def test_who_is_handed_a_connection_that_is_held_reads_it_at_once() -> None:
    tick = Tick(NEVER)
    async with wires(1) as [wire]:
        await held(tick, wire)
        report_at_once(wire.transport)
        wire.writer.write(b"x")
        await wire.got(2)


async def test_a_closed_connection_is_not_held_and_keeps_no_other_from_its_tick() -> None:
    tick = Tick(WIDEST)
    async with wires(2) as (wire, closed):
        tick.hold(closed.transport)
        tick.hold(wire.transport)
        closed.transport.close()
        tick.hold(closed.transport)
        wire.writer.write(b"x")
        await wire.got(1)
        tick.release(closed.transport)


async def test_without_a_window_nothing_is_held() -> None:
    tick = Tick(0)
    async with wires(1) as [wire]:
        for size in range(1, 4):
            tick.hold(wire.transport)
            wire.writer.write(b"x")
            await wire.got(size)
