from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from aichat_sdk import AsyncAIChat

from tests.unit.sdk.scripted import API_KEY, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer.start() as scripted:
        yield scripted


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncAIChat]:
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY) as client:
        yield client


@pytest.fixture
def unlooped() -> Iterator[ScriptedServer]:
    """A server in a thread of its own, for tests that block theirs."""
    begun = threading.Event()
    found: list[tuple[ScriptedServer, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        async with ScriptedServer.start() as scripted:
            found.append((scripted, asyncio.get_running_loop(), ended))
            begun.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    begun.wait()
    [(scripted, loop, ended)] = found
    yield scripted
    loop.call_soon_threadsafe(ended.set)
    thread.join()
