"""`make run`: starts the platform, demonstrates it, and runs it until a signal stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console

from .platform import Options, run_platform
from .ports import EDGE_PORT, PortTakenError, edge_address
from .postgres import PostgresFailedError
from .standins import without_key
from .state import AlreadyRunningError, announced, exclusive
from .supervisor import ChildFailedError, together
from .welcome import Welcome


def run(folder: Path) -> int:
    """Runs until SIGINT or SIGTERM; returns the exit code: 0, or 1 if a part fails or another run uses the folder."""
    console, errors = Console(), Console(stderr=True)
    try:
        with exclusive(folder):
            asyncio.run(_until_stopped(folder, console))
    except (AlreadyRunningError, ChildFailedError, PortTakenError, PostgresFailedError) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    console.print("Stopped.")
    return 0


async def _until_stopped(folder: Path, console: Console) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running = asyncio.create_task(_run(folder, console))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        stopping.cancel()
        await running
    console.print("\nStopping")
    running.cancel()
    await asyncio.wait({running})


async def _run(folder: Path, console: Console) -> None:
    given = {name: value for name, value in dotenv_values(".env").items() if value} | os.environ
    welcome = Welcome(console, without_key(given))
    welcome.line("Starting the platform", style="bold")
    chosen = given.get("AICHAT_EDGE_LISTEN") or None
    with edge_address(chosen) as listen:
        if not chosen and not listen.endswith(f":{EDGE_PORT}"):
            welcome.line(
                f"  port {EDGE_PORT} is taken: the edge listens on {listen}; AICHAT_EDGE_LISTEN sets another port"
            )
        options = Options(folder, environment=given | {"AICHAT_EDGE_LISTEN": listen})
        async with run_platform(options, welcome.part) as platform:
            with announced(folder, platform, given.get("SUPABASE_URL")):
                async with together() as group:
                    group.create_task(platform.watch())
                    welcome.stand_ins()
                    await welcome.meet(platform)
                    welcome.endpoints(platform)
