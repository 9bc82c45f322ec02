"""The product's jobs: `python -m aichat_workers serve`, run with the sandbox's settings."""

from __future__ import annotations

import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from .ports import HOST, free_ports
from .supervisor import Child, Supervisor

_METRICS = "AICHAT_WORKER_METRICS_LISTEN"
# A metric that they export once they look for work. Their log may hold only errors.
_READY = "aichat_queue_depth{"


async def load_workers(supervisor: Supervisor, folder: Path, environment: Mapping[str, str]) -> Child:
    """Starts workers that load their code while they wait for their settings."""
    command = (sys.executable, "-m", "aichat_sandbox.preloaded", "aichat_workers.serve", "aichat_workers", "serve")
    return await supervisor.begin("workers", *command, environment=environment, cwd=folder, stdin=PIPE)


async def start_workers(supervisor: Supervisor, loaded: Child, settings: Mapping[str, str]) -> None:
    """Gives loaded workers their settings; returns once they work."""
    address = settings.get(_METRICS) or f"{HOST}:{free_ports(1)[0]}"

    async def working() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as response:
                return _READY in await response.text()
        except aiohttp.ClientError:
            return False

    await loaded.send(json.dumps({**settings, _METRICS: address}))
    await supervisor.until_ready(loaded, working)
