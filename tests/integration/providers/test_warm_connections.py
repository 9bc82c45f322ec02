"""A server connects to its vendors before anybody asks them."""

from __future__ import annotations

import asyncio

from tests.fixtures.server import RunServer
from tests.integration.conversations.asking import eventually


async def test_a_server_has_a_connection_before_it_is_asked(run_server: RunServer) -> None:
    heard: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(b"")
        heard[-1] = await reader.read()
        writer.close()

    async def connections() -> int:
        return len(heard)

    listening = await asyncio.start_server(take, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, run_server(OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1"):
        await eventually(connections, lambda seen: seen == 1)
    assert heard == [b""]
