from __future__ import annotations

from collections.abc import AsyncIterator

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
