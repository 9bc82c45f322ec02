"""What a provider sees at once though it reads by tick: here the next tick never comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest
from aichat_server.core.errors import Reason
from aichat_server.providers.domain.events import TextDelta
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import Vendors, answer, asking, scripted

NEVER = 24 * 3600.0
FIRST_WORDS = 2
"""The first tick comes at once, so the second word does not wait either."""


@pytest.fixture
async def unticked(vendor: str, vendors: Vendors) -> AsyncIterator[BaseAIProvider]:
    """The vendor's provider, whose connections stay held."""
    vendors.clear_log()
    factory = AIProviderFactory([vendors.config(vendor, stall_seconds=2.0)], window_seconds=NEVER)
    yield factory.get(vendor)
    await factory.aclose()


async def test_the_first_delta_of_every_answer_is_not_held(unticked: BaseAIProvider, vendor: str) -> None:
    for _ in range(3):
        async with (
            asyncio.timeout(30),
            aclosing(unticked.stream(asking(vendor, scripted(words=2, hang_after=1)))) as it,
        ):
            async for event in it:
                if isinstance(event, TextDelta):
                    break


async def test_silence_is_noticed_while_a_connection_is_held(unticked: BaseAIProvider, vendor: str) -> None:
    got = await answer(unticked, asking(vendor, scripted(words=5, hang_after=FIRST_WORDS, interval_ms=20)))
    assert got.error
    assert got.error.reason is Reason.PROVIDER_TIMEOUT


async def test_a_cut_is_noticed_while_a_connection_is_held(unticked: BaseAIProvider, vendor: str) -> None:
    async with asyncio.timeout(30):
        got = await answer(unticked, asking(vendor, scripted(words=9, cut_after=5, interval_ms=20)))
    assert got.error
    assert got.error.reason is Reason.PROVIDER_STREAM_BROKEN
    assert got.text.startswith("word0 word1 ")


async def test_cancelling_closes_a_connection_that_is_held(
    unticked: BaseAIProvider, vendor: str, vendors: Vendors
) -> None:
    task = asyncio.create_task(answer(unticked, asking(vendor, scripted(words=500, interval_ms=20))))
    await vendors.wait_for_log(lambda entry: entry["vendor"] == vendor)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await vendors.wait_for_log(lambda entry: entry["client_closed"])


def frame(**choice: object) -> bytes:
    """A chunk of OpenAI's, in a chunk of HTTP's."""
    data = b"data: " + json.dumps({"choices": [{"index": 0, **choice}]}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_connection_that_is_held_at_the_end_of_its_answer_brings_the_next_one_at_once() -> None:
    connections = 0
    words = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                for _ in range(FIRST_WORDS):
                    writer.write(frame(delta={"content": "word "}))
                    await words.wait()
                    words.clear()
                # More than is held, and the end of the body with it.
                writer.write(frame(delta={"content": "x" * 20_000}, finish_reason="stop") + b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    factory = AIProviderFactory([ProviderConfig("openai", "key", f"http://127.0.0.1:{port}")], window_seconds=NEVER)
    for _ in range(3):
        async with asyncio.timeout(30):
            async for event in factory.get("openai").stream(asking("openai", "Hi")):
                if isinstance(event, TextDelta):
                    words.set()
    assert connections == 1
    await factory.aclose()
    server.close()
