"""Starts the measured programs, each on a chosen core, and reads their use of resources."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

MEASURED_CORE = 0
"""The measured server has this core to itself; load, vendors and database share the others."""


def leave_measured_core() -> None:
    """Keeps this process, and all processes that it starts from now on, off the measured core."""
    others = os.sched_getaffinity(0) - {MEASURED_CORE}
    if others:
        os.sched_setaffinity(0, others)


@asynccontextmanager
async def started(
    *module: str, env: Mapping[str, str] | None = None, measured: bool = False
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """Runs `python -m MODULE …` until the context is left; on the measured core if it is `measured`."""
    async with command(sys.executable, "-m", *module, env={**os.environ, **(env or {})}) as process:
        if measured:
            os.sched_setaffinity(process.pid, {MEASURED_CORE})
        yield process


@asynccontextmanager
async def command(
    *words: str | Path, env: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """Runs a command until the context is left. `output` is where it prints; None: where this process does."""
    process = await asyncio.create_subprocess_exec(*words, env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def output_of(*module: str, env: Mapping[str, str] | None = None) -> str:
    """Runs `python -m MODULE …` to its end; returns its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, env={**os.environ, **(env or {})}, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(module[:2])} exited with {process.returncode}")
    return printed.decode()


async def port_in(file: Path, process: asyncio.subprocess.Process) -> int:
    """Returns the port that a starting process writes to `file` once it listens."""
    while process.returncode is None:
        text = await asyncio.to_thread(lambda: file.read_text() if file.exists() else "")
        if text.strip():
            return int(text)
        await asyncio.sleep(0.02)
    raise RuntimeError(f"the process that was to write {file.name} exited with {process.returncode}")


async def listens(address: str, process: asyncio.subprocess.Process) -> None:
    """Waits until a starting process accepts connections."""
    host, _, port = address.partition(":")
    while process.returncode is None:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError(f"the server exited with {process.returncode}")


def cpu_seconds(pid: int) -> float:
    """Returns the process's CPU time so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def memory_bytes(pid: int) -> int:
    """Returns the process's current memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def reset_peak_memory(pid: int) -> None:
    """Begins a new measurement of the process's peak of memory."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_memory_bytes(pid: int) -> int:
    """Returns the process's peak of memory since the measurement began."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
