from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.sdk.aichat import Aichat, InProcess
from tests.unit.sdk.scripted import API_KEY, ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer.start() as scripted:
        yield scripted


@pytest.fixture
def aichat(tmp_path: Path, server: ScriptedServer) -> Aichat:
    return Aichat(tmp_path, server.endpoint)


@pytest.fixture
def in_process(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> InProcess:
    command = InProcess(monkeypatch, capsys, tmp_path)
    command.at(server.endpoint, API_KEY)
    return command
