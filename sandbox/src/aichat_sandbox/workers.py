"""The product's jobs: `python -m aichat_workers serve`, run with the sandbox's settings."""

from __future__ import annotations

import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

from .supervisor import Child, Supervisor

# What they log once they look for work.
_READY = '"event":"working"'


async def load_workers(supervisor: Supervisor, folder: Path, environment: Mapping[str, str]) -> Child:
    """Workers that have yet to be given their settings, and load their code meanwhile."""
    command = (sys.executable, "-m", "aichat_sandbox.preloaded", "aichat_workers.serve", "aichat_workers", "serve")
    return await supervisor.begin("workers", *command, environment=environment, cwd=folder, stdin=PIPE)


async def start_workers(supervisor: Supervisor, loaded: Child, settings: Mapping[str, str]) -> None:
    """Has loaded workers work; returns once they do."""

    async def working() -> bool:
        return _READY in loaded.log.read_text(errors="replace")

    await loaded.tell(json.dumps(dict(settings)))
    await supervisor.until_ready(loaded, working)
