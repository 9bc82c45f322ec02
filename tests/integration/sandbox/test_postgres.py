"""The sandbox's Postgres: its data last between runs; one at a time; stopped at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import asyncpg
import pytest
from aichat_sandbox.postgres import PostgresFailedError, run_postgres

from tests.fixtures.rows import connection

LEAVE_BEHIND = """
import asyncio, os, pathlib, sys
from aichat_sandbox.postgres import run_postgres

async def main():
    async with run_postgres(pathlib.Path(sys.argv[1])) as server:
        print(server.process.pid, flush=True)
        os._exit(9)

asyncio.run(main())
"""


async def test_data_and_password_are_kept_between_runs(folder: Path) -> None:
    async with run_postgres(folder) as first, connection(first.owner_url) as owner:
        await owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert (await owner.fetchval("SHOW server_version")).startswith("18.")
        assert await owner.fetchval("SHOW listen_addresses") == "127.0.0.1"
    assert first.process.returncode == 0
    async with run_postgres(folder) as second, connection(second.owner_url) as owner:
        assert await owner.fetchval("SELECT answer FROM kept") == 42
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(second.owner_url.replace(second.password, "guess"))
    assert second.password == first.password
    assert second.password not in repr(second)
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600


async def test_one_that_a_killed_run_left_behind_makes_way(folder: Path) -> None:
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAVE_BEHIND, str(folder), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await killed.communicate()
    left = int(output)
    os.kill(left, 0)
    async with run_postgres(folder) as server, connection(server.owner_url) as owner:
        assert await owner.fetchval("SELECT 1") == 1
    # Gone, or dead and not yet reaped by its new parent.
    command = Path("/proc", str(left), "cmdline")
    assert not command.exists() or not command.read_bytes()


async def test_a_run_that_was_killed_while_it_set_up_is_no_obstacle(folder: Path) -> None:
    half = folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    async with run_postgres(folder) as server, connection(server.owner_url) as owner:
        assert await owner.fetchval("SELECT 1") == 1


async def test_one_that_cannot_start_says_why(folder: Path) -> None:
    async with run_postgres(folder) as server:
        server.process.send_signal(signal.SIGKILL)
        assert await server.process.wait() == -signal.SIGKILL
    (folder / "data" / "postgresql.conf").write_text("nonsense = on\n")
    with pytest.raises(PostgresFailedError, match="nonsense"):
        async with run_postgres(folder):
            pass
