"""`python -m aichat_sandbox.vendors --port 0 --port-file FILE`: the vendors' stand-in as a process."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from aiohttp import web

from .server import make_app


async def serve(host: str, port: int, port_file: Path | None) -> None:
    """Serves until SIGTERM or SIGINT; writes the port to `port_file` once it listens."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(make_app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    if port_file is not None:
        whole = port_file.with_suffix(".new")
        whole.write_text(str(runner.addresses[0][1]))
        whole.replace(port_file)
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(description="Stand-ins for Anthropic, OpenAI and Gemini on one port.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it listens")
    options = parser.parse_args()
    asyncio.run(serve(options.host, options.port, options.port_file))


if __name__ == "__main__":
    main()
