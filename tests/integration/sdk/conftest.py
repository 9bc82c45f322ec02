from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.sdk.aichat import Aichat
from tests.unit.sdk.scripted import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer.start() as scripted:
        yield scripted


@pytest.fixture
def aichat(tmp_path: Path, server: ScriptedServer) -> Aichat:
    return Aichat(tmp_path, server.endpoint)
