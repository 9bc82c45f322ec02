"""Background work continues whatever happens to it, and a stop ends it whatever it does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from typing import NoReturn, cast

import pytest
from aichat_server.app import background
from aichat_server.app.background import Work, running
from aichat_server.core.errors import AichatError, Reason
from aichat_server.telemetry.observing import Observer
from structlog.testing import capture_logs


class Tally(Observer):
    """Counts what it observes."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()

    def task_failed(self, name: str) -> None:
        self.failures[name] += 1


FAULTS = [
    RuntimeError("the handler is closed"),
    AichatError(Reason.STORAGE_UNAVAILABLE, "the database is away"),
    asyncio.CancelledError(),
    TimeoutError(),
]


@pytest.mark.parametrize("fault", [*FAULTS, None], ids=repr)
async def test_work_that_ends_is_logged_counted_and_restarted(fault: BaseException | None) -> None:
    tally, again, beside = Tally(), asyncio.Event(), asyncio.Event()
    begun = 0

    async def fails_twice() -> None:
        nonlocal begun
        begun += 1
        if begun > 2:
            again.set()
            await asyncio.Future[None]()
        elif fault is not None:
            raise fault

    async def works() -> None:
        beside.set()
        await asyncio.Future[None]()

    with capture_logs() as logs:
        async with running(tally, one=cast("Work", fails_twice), other=cast("Work", works)), asyncio.timeout(20):
            await again.wait()
            await beside.wait()
    assert tally.failures == {"one": 2}
    assert [(entry["task"], entry["log_level"]) for entry in logs] == [("one", "error")] * 2


async def test_a_cancellation_that_gets_lost_is_sent_again() -> None:
    lost = 0

    async def swallows() -> NoReturn:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    async with running(Observer(), one=swallows), asyncio.timeout(20):
        await asyncio.sleep(0)
    assert lost == 3


async def test_work_that_never_ends_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_STOP_SECONDS", 0.5)
    let_go = False

    async def never_ends() -> NoReturn:
        while not let_go:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        raise asyncio.CancelledError

    with capture_logs() as logs:
        async with running(Observer(), one=never_ends):
            await asyncio.sleep(0)
    assert logs[-1]["tasks"] == ["one"]
    let_go = True


HANGS = """
import asyncio, time
from aichat_server.app.deadline import exit_by_force

async def main():
    exit_by_force(0.2)
    time.sleep(600)

asyncio.run(main())
"""


def test_a_process_whose_loop_hangs_ends_by_force() -> None:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "ended by force" in done.stdout + done.stderr
    assert time.monotonic() - began < 100
