"""Promise 8: whatever a vendor's connection does, the call ends in bounded time, with a typed error or successfully."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aichat_server.core.errors import Reason
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.faults.bounds import ROOM
from tests.faults.link import HOST, Link, Way, link_to
from tests.fixtures.vendors import MODELS, PATHS, Answer, Vendors, answer, asking, scripted

CONNECT_SECONDS, STALL_SECONDS = 1.0, 1.5
PATIENT_SECONDS = 100.0
BOUND_SECONDS = ROOM * (CONNECT_SECONDS + 2 * STALL_SECONDS) + 2
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
DRIP_SECONDS = 0.05


@pytest.fixture(params=sorted(MODELS))
def vendor(request: pytest.FixtureRequest) -> str:
    """Each of the three in turn."""
    name: str = request.param
    return name


@pytest.fixture
async def link(vendors: Vendors) -> AsyncIterator[Link]:
    """A link to the vendors' stand-in."""
    async with link_to(vendors.url) as opened:
        yield opened


async def ask(vendor: str, url: str, text: str = "Hello", *, stall_seconds: float = STALL_SECONDS) -> Answer:
    """Returns the answer to a request to the vendor at `url`, which must arrive in time."""
    config = ProviderConfig(
        vendor,
        "a-key",
        url + PATHS[vendor],
        connect_seconds=CONNECT_SECONDS,
        stall_seconds=stall_seconds,
        reasoning_stall_seconds=stall_seconds,
    )
    factory = AIProviderFactory([config])
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            return await answer(factory.get(vendor), asking(vendor, text))
    finally:
        await factory.aclose()


@asynccontextmanager
async def peer(head: bytes, drip: bytes) -> AsyncGenerator[str, None]:
    """A vendor that sends `head`, if any, and then repeats `drip`, byte by byte."""

    answering: set[asyncio.Task[None] | None] = set()

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.current_task())
        with suppress(OSError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            for byte in itertools.cycle(drip):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP_SECONDS)
            await asyncio.Event().wait()
        writer.transport.abort()

    listening = socket.create_server((HOST, 0))
    # So that the buffer is soon full if it does not read.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async with await asyncio.start_server(reply, sock=listening, limit=4096):
        yield f"http://{HOST}:{listening.getsockname()[1]}"
        for task in answering:
            if task is not None:
                task.cancel()


def reason(got: Answer) -> Reason | None:
    return got.error.reason if got.error else None


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)], ids=["both ways", "to it", "from it"])
async def test_it_is_silent_from_the_beginning(link: Link, vendor: str, ways: tuple[Way, ...]) -> None:
    link.silence(*ways)
    assert reason(await ask(vendor, f"http://{link.address}")) is Reason.PROVIDER_TIMEOUT


async def test_it_falls_silent_during_the_answer(link: Link, vendor: str) -> None:
    asked = asyncio.create_task(ask(vendor, f"http://{link.address}", scripted(words=2000, interval_ms=50)))
    async with asyncio.timeout(30):
        while link.passed[Way.DOWN] < 1000:
            await asyncio.sleep(0.01)
    link.silence(Way.DOWN)
    got = await asked
    assert reason(got) is Reason.PROVIDER_TIMEOUT
    assert got.text.startswith("word0 ")


async def test_it_is_silent_during_the_tls_handshake(link: Link, vendor: str) -> None:
    link.silence()
    assert reason(await ask(vendor, f"https://{link.address}")) is Reason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize("head", [b"", HEAD], ids=["its head", "a line"])
async def test_its_bytes_arrive_one_by_one_and_never_complete_an_event(vendor: str, head: bytes) -> None:
    drip = b"data: and so on and so on" if head else HEAD[:-4] + b"\r\nx-and-so: on" * 10_000
    async with peer(head, drip) as url:
        assert reason(await ask(vendor, url)) is Reason.PROVIDER_TIMEOUT


async def test_its_host_accepts_no_more_bytes(vendor: str) -> None:
    """As if a kept connection's other end had vanished: detected long before a silence would count as one."""
    async with peer(b"", b"") as url:
        got = await ask(vendor, url, "word " * 150_000, stall_seconds=PATIENT_SECONDS)
    assert reason(got) is Reason.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "ended"])
async def test_its_connections_break_at_any_byte(link: Link, vendor: str, reset: bool) -> None:
    link.cut_each_within(3000, reset=reset)
    for _ in range(10):
        got = await ask(vendor, f"http://{link.address}", scripted(words=8))
        assert reason(got) in {None, Reason.PROVIDER_UNAVAILABLE, Reason.PROVIDER_STREAM_BROKEN}
        assert got.error or got.text == "".join(f"word{n} " for n in range(8))
