"""`make run`, from outside: what it shows, what it writes, and that nothing is left when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx
import pytest
from aichat_sandbox.supervisor import until

ROOT = Path(__file__).resolve().parents[2]
MAKE = ("make", "--assume-old", ".venv/.ready", "run")
DIRECT = (sys.executable, "-m", "aichat_sandbox", "run")
VENDORS_KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")
KEYS = (*VENDORS_KEYS, "STRIPE_SECRET_KEY")
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready."""

    process: asyncio.subprocess.Process
    shown: str
    """What it had shown by then."""
    endpoints: dict[str, Any]

    @property
    def pids(self) -> list[int]:
        return list(self.endpoints["pids"].values())

    async def end(self) -> tuple[int, str]:
        """Waits for its end; returns its exit code and the last it showed."""
        assert self.process.stdout
        async with asyncio.timeout(SECONDS):
            rest = await self.process.stdout.read()
            return await self.process.wait(), rest.decode()


async def begin(home: Path, command: tuple[str, ...], **settings: str) -> asyncio.subprocess.Process:
    for name in ("Makefile", ".venv"):
        if not (home / name).exists():
            (home / name).symlink_to(ROOT / name)
    environment = {name: value for name, value in os.environ.items() if name not in KEYS} | settings
    return await asyncio.create_subprocess_exec(
        *command, cwd=home, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


@asynccontextmanager
async def running(home: Path, command: tuple[str, ...] = DIRECT, **settings: str) -> AsyncGenerator[Run, None]:
    process = await begin(home, command, **settings)
    assert process.stdout
    try:
        async with asyncio.timeout(SECONDS):
            shown = (await process.stdout.readuntil(b"Ctrl-C stops everything")).decode()
        yield Run(process, shown, json.loads((home / ".sandbox/endpoints.json").read_text()))
    except asyncio.IncompleteReadError as error:
        pytest.fail(error.partial.decode())
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def all_gone(pids: list[int]) -> None:
    async def gone() -> bool:
        return all([await is_gone(pid) for pid in pids])

    async with asyncio.timeout(20):
        await until(gone)


@pytest.fixture(scope="module")
async def run() -> AsyncGenerator[Run, None]:
    with TemporaryDirectory(prefix="aichat-run-") as home:
        async with running(Path(home), MAKE) as run:
            yield run


@pytest.fixture
def home(run: Run) -> Path:
    return Path(f"/proc/{run.process.pid}/cwd").readlink()


async def test_it_announces_the_stand_ins_and_chats_with_each_vendor(run: Run) -> None:
    for service, key in zip(("Claude", "OpenAI", "Gemini", "Stripe"), KEYS, strict=True):
        assert f"{service}: a stand-in plays it; set {key} for the real one" in run.shown
    for provider in ("anthropic", "openai", "gemini"):
        assert f"stand-in** for {provider}" in run.shown
    assert run.shown.count(" USD\n") == 3


async def test_it_shows_endpoints_key_and_three_commands(run: Run, home: Path) -> None:
    for name in ("grpc", "http", "api_key", "database_url", "redis_url"):
        assert run.endpoints[name] in run.shown
    assert str(home / ".sandbox/mail") in run.shown
    for command in ("\n  make chat ", "\n  .venv/bin/aichat conversations\n", f"\n  curl -N {run.endpoints['http']}"):
        assert command in run.shown


async def test_what_it_writes_for_scripts_is_true_and_private(run: Run, home: Path) -> None:
    files = [home / ".sandbox" / name for name in ("endpoints.json", "key.json")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert set(run.endpoints) == {"grpc", "http", "api_key", "database_url", "redis_url", "pids"}
    assert run.endpoints["http"] == f"http://{run.endpoints['grpc']}"
    parts = {"postgres", "redis", "vendors", "auth", "stripe", "smtp", "envoy", "server", "workers"}
    assert set(run.endpoints["pids"]) == parts
    assert not any([await is_gone(pid) for pid in run.pids])

    headers = {"authorization": f"Bearer {run.endpoints['api_key']}"}
    async with httpx.AsyncClient(base_url=run.endpoints["http"], headers=headers) as client:
        assert (await client.get("/v1/models")).status_code == 200
    database = await asyncpg.connect(run.endpoints["database_url"])
    assert await database.fetchval("SELECT count(*) FROM aichat.conversations") == 3
    await database.close()


async def test_the_command_finds_it_and_the_first_chats(run: Run, home: Path) -> None:
    command = (home / ".venv/bin/aichat", "conversations")
    process = await asyncio.create_subprocess_exec(*command, cwd=home, stdout=asyncio.subprocess.PIPE)
    listed, _ = await process.communicate()
    assert process.returncode == 0
    assert listed.decode().count("Who are you?") == 3


async def test_a_second_run_beside_it_says_so_and_breaks_nothing(run: Run, home: Path) -> None:
    second = await begin(home, DIRECT)
    shown, _ = await second.communicate()
    assert second.returncode == 1
    assert "the platform already runs here" in shown.decode()
    assert json.loads((home / ".sandbox/endpoints.json").read_text()) == run.endpoints
    async with httpx.AsyncClient(base_url=run.endpoints["http"]) as client:
        assert (await client.get("/healthz")).status_code == 200


async def test_it_starts_where_only_errors_are_logged_and_sigterm_to_make_stops_everything() -> None:
    with TemporaryDirectory(prefix="aichat-run-") as name:
        async with running(Path(name), MAKE, AICHAT_LOG_LEVEL="error") as run:
            run.process.terminate()
            await run.end()
            await all_gone(run.pids)
            assert not Path(name, ".sandbox/endpoints.json").exists()


async def test_the_next_run_has_key_and_data_and_tells_a_crash() -> None:
    with TemporaryDirectory(prefix="aichat-run-") as name:
        async with running(Path(name)) as first:
            first.process.send_signal(signal.SIGINT)
            code, rest = await first.end()
            assert (code, rest.endswith("Stopped.\n")) == (0, True)
            await all_gone(first.pids)
        async with running(Path(name)) as second:
            assert second.endpoints["api_key"] == first.endpoints["api_key"]
            database = await asyncpg.connect(second.endpoints["database_url"])
            assert await database.fetchval("SELECT count(*) FROM aichat.conversations") == 6
            await database.close()

            os.kill(second.endpoints["pids"]["redis"], signal.SIGKILL)
            code, rest = await second.end()
            assert code == 1
            assert "redis ended with code -9" in rest
            assert "Ready to accept connections" in rest
            await all_gone(second.pids)
            assert not Path(name, ".sandbox/endpoints.json").exists()


async def test_nothing_outlives_a_run_that_is_killed() -> None:
    with TemporaryDirectory(prefix="aichat-run-") as name:
        async with running(Path(name)) as run:
            run.process.kill()
            await run.process.wait()
            await all_gone(run.pids)
