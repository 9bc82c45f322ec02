"""A request is made ready before it is known what is asked: until it is sent, the vendor hears nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aichat_server.core.errors import Reason
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import MODELS, Answer, answer, asking

REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}"


@dataclass
class Vendor:
    """Takes connections, and refuses each request once a head and a body have come."""

    port: int = 0
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    """The bytes received on each connection."""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection to its end."""
        number = len(self.connections)
        self.connections.append(writer)
        self.heard.append(b"")
        while piece := await reader.read(65536):
            self.heard[number] += piece
            if piece.endswith(b"}"):
                writer.write(REFUSED)
        writer.close()


@pytest.fixture
async def listening() -> AsyncIterator[Vendor]:
    """A vendor at a port of its own."""
    made = Vendor()
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest.fixture
async def asked(vendor: str, listening: Vendor) -> AsyncIterator[BaseAIProvider]:
    """The provider that asks it."""
    factory = AIProviderFactory([ProviderConfig(vendor, "a-key", f"http://127.0.0.1:{listening.port}")])
    yield factory.get(vendor)
    await factory.aclose()


def refused(got: Answer) -> bool:
    return got.error is not None and got.error.reason is Reason.PROVIDER_RATE_LIMITED


async def test_what_is_prepared_connects_and_says_nothing(
    asked: BaseAIProvider, listening: Vendor, vendor: str
) -> None:
    post = asked.prepare(MODELS[vendor], reasons=False)
    assert await post.connected()
    post.close()
    await asyncio.sleep(0)
    # The same connection, which came back as it was.
    assert refused(await answer(asked, asking(vendor, "Hi")))
    assert len(listening.connections) == 1
    assert listening.heard[0].count(b"POST ") == 1
    assert listening.heard[0].startswith(b"POST ")


async def test_what_is_prepared_is_sent_once(asked: BaseAIProvider, listening: Vendor, vendor: str) -> None:
    post = asked.prepare(MODELS[vendor], reasons=False)
    assert await post.connected()
    assert listening.heard in ([], [b""])
    assert refused(await answer(asked, asking(vendor, "Grüezi"), post))
    assert len(listening.connections) == 1
    head, _, body = listening.heard[0].partition(b"\r\n\r\n")
    assert head.count(b"POST ") == 1
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert "Grüezi" in body.decode()


async def test_a_connection_that_the_vendor_closes_meanwhile_is_replaced(
    asked: BaseAIProvider, listening: Vendor, vendor: str
) -> None:
    post = asked.prepare(MODELS[vendor], reasons=False)
    assert await post.connected()
    async with asyncio.timeout(10):
        while not listening.connections:
            await asyncio.sleep(0.01)
        listening.connections[0].close()
        await listening.connections[0].wait_closed()
    # The end has reached the other side once a second connection has been made and answered.
    assert refused(await answer(asked, asking(vendor, "One")))
    assert refused(await answer(asked, asking(vendor, "Two"), post))
    assert listening.heard[0] == b""


async def test_a_vendor_that_is_not_there_is_found_missing_when_it_is_asked(vendor: str) -> None:
    factory = AIProviderFactory([ProviderConfig(vendor, "a-key", "http://127.0.0.1:1")])
    provider = factory.get(vendor)
    post = provider.prepare(MODELS[vendor], reasons=False)
    assert not await post.connected()
    got = await answer(provider, asking(vendor, "Hi"), post)
    await factory.aclose()
    assert got.error
    assert got.error.reason is Reason.PROVIDER_UNAVAILABLE
