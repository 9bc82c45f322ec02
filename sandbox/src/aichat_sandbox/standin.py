"""Runs a stand-in for an external service as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from aiohttp import web


def run_stand_in(make_app: Callable[[], web.Application], description: str) -> None:
    """Reads the command line (`--host`, `--port`, `--port-file`) and serves until SIGTERM or SIGINT."""
    options = stand_in_parser(description).parse_args()
    serve_stand_in(make_app(), options)


def stand_in_parser(description: str) -> argparse.ArgumentParser:
    """Returns a parser with the options that every stand-in has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    return parser


def serve_stand_in(app: web.Application, options: argparse.Namespace) -> None:
    """Serves with the options of `stand_in_parser` until SIGTERM or SIGINT."""
    asyncio.run(_serve(app, options.host, options.port, options.port_file))


async def _serve(app: web.Application, host: str, port: int, port_file: Path | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    if port_file is not None:
        whole = port_file.with_suffix(".new")
        whole.write_text(str(runner.addresses[0][1]))
        # A process that waits for the file never sees half of it.
        whole.replace(port_file)
    await stopped.wait()
    await runner.cleanup()
