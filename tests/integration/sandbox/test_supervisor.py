"""Processes are started, watched and stopped reliably."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aichat_sandbox.ports import free_ports
from aichat_sandbox.redis import start_redis
from aichat_sandbox.supervisor import ChildFailedError, Supervisor, together, until

ENVIRONMENT = {"PATH": os.environ["PATH"]}
SLEEPER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('up'); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
# A supervisor that starts one process, prints its id, and waits to be killed.
PARENT = """
import asyncio, os, sys
from pathlib import Path
from aichat_sandbox.supervisor import Supervisor

async def main():
    async def ready():
        return True
    folder = Path(sys.argv[1])
    async with Supervisor(folder) as supervisor:
        await supervisor.start("child", "sleep", "600", environment=os.environ, cwd=folder, ready=ready)
        print(supervisor.pids["child"], flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def is_up(file: Path) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return file.exists()

    return check


def is_gone(pid: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        try:
            return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True

    return check


async def start(supervisor: Supervisor, folder: Path, program: str = SLEEPER) -> int:
    file = folder / "up"
    command = (sys.executable, "-c", program, str(file))
    child = await supervisor.start("child", *command, environment=ENVIRONMENT, cwd=folder, ready=is_up(file))
    return child.process.pid


async def test_leaving_stops_what_was_started(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        pid = await start(supervisor, tmp_path)
        assert supervisor.pids == {"child": pid}
        assert not await is_gone(pid)()
    assert await is_gone(pid)()


async def test_a_process_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aichat_sandbox.supervisor.STOP_SECONDS", 0.1)
    async with Supervisor(tmp_path) as supervisor:
        pid = await start(supervisor, tmp_path, STUBBORN)
    assert await is_gone(pid)()


async def test_a_process_that_ends_before_it_is_ready_is_reported_with_its_log(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match=r"child ended with code 3.*child\.log(.|\n)*what went wrong"):
            await start(supervisor, tmp_path, "import sys; print('what went wrong'); sys.exit(3)")


async def test_a_process_that_does_not_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aichat_sandbox.supervisor.START_SECONDS", 0.2)
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match="was not ready after"):
            await start(supervisor, tmp_path, "import time; time.sleep(600)")


async def test_a_crash_is_reported_with_the_end_of_the_log(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        pid = await start(supervisor, tmp_path, "print('last words', flush=True); " + SLEEPER)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ChildFailedError, match=r"child ended with code -9(.|\n)*last words"):
            await supervisor.watch()


async def test_a_command_gives_what_it_printed_or_fails_with_its_errors(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    assert await supervisor.run("echo", "echo", "hello", environment=ENVIRONMENT, cwd=tmp_path) == "hello\n"
    with pytest.raises(ChildFailedError, match=r"ls failed with code \d(.|\n)*no-such-file"):
        await supervisor.run("ls", "ls", "no-such-file", environment=ENVIRONMENT, cwd=tmp_path)


async def test_no_process_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    command = (sys.executable, "-c", PARENT, str(tmp_path))
    parent = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(5):
        await until(is_gone(pid))


async def test_the_first_failure_of_a_group_is_raised_as_it_is() -> None:
    async def fail() -> None:
        raise ChildFailedError("no")

    async def wait_with_others() -> None:
        async with together() as group:
            group.create_task(fail())
            await asyncio.sleep(600)

    with pytest.raises(ChildFailedError, match="no"):
        await wait_with_others()


async def test_redis_keeps_its_data(tmp_path: Path) -> None:
    answers = []
    for command in (b"SET key value\r\n", b"GET key\r\n"):
        async with Supervisor(tmp_path) as supervisor:
            url = await start_redis(supervisor, tmp_path, ENVIRONMENT)
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2].split("/")[0]))
            writer.write(command)
            answers.append(await reader.readline())
            writer.close()
            await writer.wait_closed()
    assert answers == [b"+OK\r\n", b"$5\r\n"]


def test_ports_are_free_and_different() -> None:
    assert len(set(free_ports(20))) == 20
