"""The proxy does to connections exactly what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.faults.link import HOST, Fate, Link, Way

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Ends]]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while line := await reader.readline():
            writer.write(line)
    writer.close()


@pytest.fixture
async def link() -> AsyncGenerator[Link, None]:
    """A link to a peer that echoes its input."""
    server = await asyncio.start_server(_echo, HOST, 0)
    async with server, Link(server.sockets[0].getsockname()[1]) as opened:
        yield opened


@pytest.fixture
async def connect(link: Link) -> AsyncGenerator[Connect, None]:
    """Returns a function that connects over the link."""
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Ends:
        reader, writer = await asyncio.open_connection(HOST, link.port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()


async def _echoes(ends: Ends, line: bytes) -> bool:
    """Whether the peer echoes the line within a while."""
    reader, writer = ends
    writer.write(line)
    try:
        async with asyncio.timeout(0.3):
            return await reader.readline() == line
    except TimeoutError:
        return False


async def test_it_forwards_bytes_and_ends(connect: Connect) -> None:
    reader, writer = ends = await connect()
    assert await _echoes(ends, b"one\n")
    writer.write_eof()
    assert await reader.read() == b""


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)], ids=["both", "up", "down"])
async def test_a_silent_direction_delays_bytes(link: Link, connect: Connect, ways: tuple[Way, ...]) -> None:
    reader, _ = before = await connect()
    assert await _echoes(before, b"one\n")
    link.silence(*ways)
    assert not await _echoes(before, b"two\n")
    assert not await _echoes(await connect(), b"three\n")
    link.heal()
    assert await reader.readline() == b"two\n"


async def test_open_connections_stay_silent_and_new_ones_work(link: Link, connect: Connect) -> None:
    before = await connect()
    assert await _echoes(before, b"one\n")
    link.silence_open()
    assert not await _echoes(before, b"two\n")
    assert await _echoes(await connect(), b"three\n")
    link.heal()
    assert not await _echoes(before, b"four\n")


async def test_a_reply_is_lost(link: Link, connect: Connect) -> None:
    this, other = await connect(), await connect()
    assert await _echoes(this, b"one\n")
    lost = link.lose_reply_to(b"mark")
    assert not await _echoes(this, b"mark\n")
    assert lost.is_set()
    assert not await _echoes(this, b"two\n")
    assert await _echoes(other, b"mark\n")


async def test_a_marked_connection_loses_its_request_or_is_reset(link: Link, connect: Connect) -> None:
    lost = link.doom(b"mark", Fate.REQUEST_LOST)
    assert not await _echoes(await connect(), b"a mark\n")
    assert lost.is_set()
    reset = link.doom(b"mark", Fate.REPLY_RESET)
    with pytest.raises(ConnectionResetError):
        await _echoes(await connect(), b"a mark\n")
    assert reset.is_set()
    assert await _echoes(await connect(), b"a mark\n")


async def test_connections_break(link: Link, connect: Connect) -> None:
    for reset in (True, False):
        reader, _ = ends = await connect()
        assert await _echoes(ends, b"one\n")
        link.cut(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            assert await reader.read() == b""
    link.cut_each_within(0)
    reader, writer = await connect()
    writer.write(b"one\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()


async def test_it_can_be_removed_and_restored(link: Link, connect: Connect) -> None:
    await link.remove()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    await link.restore()
    assert await _echoes(await connect(), b"one\n")


async def test_it_slows_down(link: Link, connect: Connect) -> None:
    link.slow_down(delay_seconds=0.2)
    assert not await _echoes(await connect(), b"one\n")
    link.slow_down(bytes_per_second=10)
    assert not await _echoes(await connect(), b"twelve bytes\n")
    link.heal()
    assert await _echoes(await connect(), b"one\n")
