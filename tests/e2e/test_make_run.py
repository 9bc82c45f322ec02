"""`make run` from outside: its output, its files, and that it leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import AsyncGenerator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx
import pytest
from aichat_sandbox.ports import free_ports

from tests.e2e.runs import DIRECT, KEYS, MAKE, Run, all_gone, begin, is_gone, running


@pytest.fixture(scope="module")
async def run() -> AsyncGenerator[Run, None]:
    with TemporaryDirectory(prefix="aichat-run-") as home:
        async with running(Path(home), (*MAKE, "run")) as run:
            yield run


@pytest.fixture
def home(run: Run) -> Path:
    return Path(f"/proc/{run.process.pid}/cwd").readlink()


async def test_it_announces_the_stand_ins_and_chats_with_each_vendor(run: Run) -> None:
    for service, key in zip(("Claude", "OpenAI", "Gemini", "Stripe"), KEYS, strict=True):
        assert f"{service}: a stand-in; set {key} to use the real one" in run.shown
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
    sign_in = {"auth_url", "auth_is_stand_in"}
    assert set(run.endpoints) == {"grpc", "http", "api_key", "database_url", "redis_url", "pids", *sign_in}
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


async def test_the_edge_listens_on_8080_or_says_where_else(run: Run) -> None:
    port = int(run.endpoints["grpc"].rpartition(":")[2])
    assert port in range(8080, 8180)
    assert ("port 8080 is taken" in run.shown) == (port != 8080)


async def test_an_address_that_is_taken_is_told(run: Run, tmp_path: Path) -> None:
    taken = await begin(tmp_path, DIRECT, AICHAT_EDGE_LISTEN=run.endpoints["grpc"])
    shown, _ = await taken.communicate()
    assert (taken.returncode, shown.decode().count("\n")) == (1, 2)
    assert f"AICHAT_EDGE_LISTEN={run.endpoints['grpc']}: Address already in use" in shown.decode()


async def test_pages_of_this_machine_may_call_and_others_not(run: Run) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with httpx.AsyncClient(base_url=run.endpoints["http"]) as client:
        for origin in ("http://localhost:5173", "https://127.0.0.1", "http://[::1]:3000", "http://localhost"):
            answer = await client.options("/v1/models", headers=asked | {"origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        for origin in ("http://localhost.example", "http://localhost:5173.example", "http://10.0.0.1:5173", "null"):
            answer = await client.options("/v1/models", headers=asked | {"origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_a_page_of_this_machine_may_change_something_with_the_cookie(run: Run) -> None:
    async with httpx.AsyncClient() as client:
        minted = await client.post(f"{run.endpoints['auth_url']}/_mint", json={})
        for origin, status in (("http://localhost:5173", 200), ("http://localhost.example", 403)):
            headers = {"origin": origin, "cookie": f"sb-access-token={minted.json()['token']}"}
            made = await client.post(f"{run.endpoints['http']}/v1/conversations", headers=headers, json={})
            assert made.status_code == status


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


async def test_ctrl_c_stops_everything(run: Run) -> None:
    """As a terminal does, which signals both; make waits for what it runs."""
    [sandbox] = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    os.kill(int(sandbox), signal.SIGINT)
    code, rest = await run.end()
    assert (code, rest.endswith("Stopped.\n")) == (0, True)
    await all_gone(run.pids)


async def test_sigterm_stops_everything_and_the_next_run_has_key_and_data_and_tells_a_crash() -> None:
    with TemporaryDirectory(prefix="aichat-run-") as name:
        # It starts where only errors are logged, too.
        async with running(Path(name), (*MAKE, "run"), AICHAT_LOG_LEVEL="error") as first:
            first.process.terminate()
            await first.end()
            await all_gone(first.pids)
            assert not Path(name, ".sandbox/endpoints.json").exists()
        (port,) = free_ports(1)
        async with running(Path(name), AICHAT_EDGE_LISTEN=f"0.0.0.0:{port}") as second:
            assert second.endpoints["grpc"] == f"127.0.0.1:{port}"
            assert "USD" not in second.shown
            assert second.endpoints["api_key"] == first.endpoints["api_key"]
            database = await asyncpg.connect(second.endpoints["database_url"])
            assert await database.fetchval("SELECT count(*) FROM aichat.conversations") == 3
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
