"""`serve` on several addresses: starts a process for each, watches them, and stops them together."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import structlog

from aichat_server.app.deadline import LAST_SECONDS
from aichat_server.settings import Settings
from aichat_server.telemetry.logs import configure_logs

_log = structlog.get_logger()

# A process that must exit by force has done so by then.
_EXIT_SECONDS = 2.0


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT, then lets each process drain."""
    configure_logs(settings.log_level)
    metrics = settings.metrics_listen or ("",) * len(settings.listen)
    addresses = list(zip(settings.listen, metrics, strict=True))
    stop_seconds = settings.announce_seconds + settings.drain_seconds + LAST_SECONDS + _EXIT_SECONDS
    return asyncio.run(_serve_each(addresses, stop_seconds))


async def _serve_each(addresses: Sequence[tuple[str, str]], stop_seconds: float) -> int:
    """Runs a server process for each address until SIGTERM or SIGINT; returns the exit code.

    Each address comes with the one for the process's metrics, or nothing. A process that has not stopped after
    `stop_seconds` is killed. A process that was killed is restarted. One that exits by itself would do so again, and
    stops them all.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    watchers = [asyncio.create_task(_keep_running(*each, stopping, stop_seconds)) for each in addresses]
    try:
        codes = await asyncio.gather(*watchers)
    finally:
        stopping.set()
    return max(codes)


async def _keep_running(address: str, metrics: str, stopping: asyncio.Event, stop_seconds: float) -> int:
    while True:
        process = await _spawn(address, metrics)
        stopped = asyncio.create_task(stopping.wait())
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.is_set():
            if process.returncode is None:
                process.terminate()
            if not (await asyncio.wait({ended}, timeout=stop_seconds))[0]:
                _log.error("server process did not stop, and is killed", address=address, pid=process.pid)
                process.kill()
            return await ended
        stopped.cancel()
        code = ended.result()
        _log.error("server process ended", address=address, pid=process.pid, code=code)
        if code >= 0:
            stopping.set()
            return max(code, 1)


async def _spawn(address: str, metrics: str) -> asyncio.subprocess.Process:
    # The child holds the reading end of a pipe: when this process dies, in whatever way, the child sees the pipe's end.
    command = [sys.executable, "-m", "aichat_server", "serve", "--until-stdin-ends"]
    environment = {**os.environ, "AICHAT_LISTEN": address, "AICHAT_METRICS_LISTEN": metrics}
    return await asyncio.create_subprocess_exec(*command, env=environment, stdin=asyncio.subprocess.PIPE)
