"""Runs `make run` as a person does, and waits for its end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aichat_sandbox.supervisor import until

ROOT = Path(__file__).resolve().parents[2]
MAKE = ("make", "--assume-old", ".venv/.ready")
DIRECT = (sys.executable, "-m", "aichat_sandbox", "run")
VENDORS_KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")
KEYS = (*VENDORS_KEYS, "STRIPE_SECRET_KEY")
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is ready."""

    process: asyncio.subprocess.Process
    shown: str
    """Its output so far."""
    endpoints: dict[str, Any]

    @property
    def pids(self) -> list[int]:
        return list(self.endpoints["pids"].values())

    async def end(self) -> tuple[int, str]:
        """Waits for its end; returns its exit code and the rest of its output."""
        assert self.process.stdout
        async with asyncio.timeout(SECONDS):
            rest = await self.process.stdout.read()
            return await self.process.wait(), rest.decode()


async def begin(home: Path, command: tuple[str, ...], **settings: str) -> asyncio.subprocess.Process:
    for name in ("Makefile", ".venv"):
        if not (home / name).exists():
            (home / name).symlink_to(ROOT / name)
    pipe, stdout = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    return await asyncio.create_subprocess_exec(
        *command, cwd=home, env=environment() | settings, stdout=pipe, stderr=stdout
    )


def environment() -> dict[str, str]:
    """Returns this process's environment, without what would make it another platform."""
    strange = (*KEYS, "AICHAT_EDGE_LISTEN", "AICHAT_ENDPOINT", "AICHAT_API_KEY")
    # Variables that a make which runs these tests sets for its children.
    return {name: value for name, value in os.environ.items() if name not in (*strange, "MAKEFLAGS", "MAKELEVEL")}


@asynccontextmanager
async def running(home: Path, command: tuple[str, ...] = DIRECT, **settings: str) -> AsyncGenerator[Run, None]:
    process = await begin(home, command, **settings)
    assert process.stdout
    try:
        async with asyncio.timeout(SECONDS):
            shown = (await process.stdout.readuntil(b"Ctrl-C stops everything")).decode()
        yield Run(process, shown, json.loads((home / ".sandbox/endpoints.json").read_text()))
    except asyncio.IncompleteReadError as error:
        pytest.fail(error.partial.decode())
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def all_gone(pids: list[int]) -> None:
    async def gone() -> bool:
        return all([await is_gone(pid) for pid in pids])

    async with asyncio.timeout(20):
        await until(gone)
