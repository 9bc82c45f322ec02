"""Starts processes, waits until each is ready, detects when one dies, and stops them all."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from .lifeline import tied_to_parent

# A busy machine has needed more than a minute.
START_SECONDS = 150.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
_TAIL_LINES = 20
# Logs are written at once; and a start is mostly imports, so processes share compiled modules.
_PYTHON = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": ""}


class ChildFailedError(Exception):
    """A process ended unexpectedly; the message ends with the end of its log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process that runs until it is stopped."""

    name: str
    process: Process = field(repr=False)
    log: Path

    async def send(self, line: str) -> None:
        """Writes a line to the process's standard input and closes it.

        The process must have been started with a pipe.
        """
        if self.process.stdin is None:
            raise ValueError(f"{self.name} was started without a standard input")
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.close()
        with suppress(ConnectionError):
            # If it has died, those who wait for it report that.
            await self.process.stdin.wait_closed()

    def failure(self, what: str) -> ChildFailedError:
        """Returns the error that says `what` happened to it, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        tail = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
        return ChildFailedError(f"{self.name} {what}. The end of {self.log}:\n{tail}")


class Supervisor:
    """The processes of one platform. Leaving its context stops them, the last one to become ready first."""

    def __init__(self, logs: Path) -> None:
        """`logs`: an existing folder for the log file of each process."""
        self._logs = logs
        self._children: list[Child] = []
        self._adopted: list[Child] = []

    @property
    def pids(self) -> dict[str, int]:
        """The ids of the started processes, by name."""
        return {child.name: child.process.pid for child in self._watched}

    @property
    def _watched(self) -> list[Child]:
        return [*self._adopted, *self._children]

    async def start(
        self,
        name: str,
        *command: str | Path,
        environment: Mapping[str, str],
        cwd: Path,
        ready: Callable[[], Awaitable[bool]],
    ) -> Child:
        """Starts a process and returns once `ready` is true; raises ChildFailedError if it ends or takes too long."""
        child = await self.begin(name, *command, environment=environment, cwd=cwd)
        await self.until_ready(child, ready)
        return child

    async def begin(
        self, name: str, *command: str | Path, environment: Mapping[str, str], cwd: Path, stdin: int = DEVNULL
    ) -> Child:
        """Starts a process without waiting until it is ready."""
        process = await self._spawn(name, *command, environment=environment, cwd=cwd, stdin=stdin)
        child = Child(name, process, self._log(name))
        self._children.append(child)
        return child

    async def until_ready(self, child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
        """Returns once `ready` is true; raises ChildFailedError if the process ends or takes too long."""
        waiting = asyncio.create_task(until(ready))
        ended = asyncio.create_task(child.process.wait())
        try:
            await asyncio.wait({waiting, ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise child.failure(
                    f"ended with code {ended.result()}"
                    if ended.done()
                    else f"was not ready after {START_SECONDS:.0f} s"
                )
            waiting.result()
            # The last process to become ready may depend on all others, and so is stopped first.
            self._children.remove(child)
            self._children.append(child)
        finally:
            for task in (waiting, ended):
                task.cancel()

    async def run(self, name: str, *command: str | Path, environment: Mapping[str, str], cwd: Path) -> str:
        """Runs a command to its end and returns its output; raises ChildFailedError if it fails."""
        process = await self._spawn(name, *command, environment=environment, cwd=cwd, stdout=asyncio.subprocess.PIPE)
        try:
            printed, _ = await process.communicate()
        finally:
            await _stop(process)
        if process.returncode:
            raise Child(name, process, self._log(name)).failure(f"failed with code {process.returncode}")
        return printed.decode()

    def adopt(self, name: str, process: Process, log: Path) -> None:
        """Watches a process that another component starts and stops."""
        self._adopted.append(Child(name, process, log))

    async def watch(self) -> NoReturn:
        """Waits until a process ends unexpectedly, and raises ChildFailedError."""
        ends = {asyncio.create_task(child.process.wait()): child for child in self._watched}
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
        ended = done.pop()
        raise ends[ended].failure(f"ended with code {ended.result()}")

    async def _spawn(
        self,
        name: str,
        *command: str | Path,
        environment: Mapping[str, str],
        cwd: Path,
        stdin: int = DEVNULL,
        stdout: int | None = None,
    ) -> Process:
        # In a session of its own: Ctrl-C is for this process, which stops the others in order.
        with self._log(name).open("wb") as log:
            return await asyncio.create_subprocess_exec(
                *tied_to_parent(*command),
                cwd=cwd,
                env={**environment, **_PYTHON},
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            await _stop(child.process)


@asynccontextmanager
async def together() -> AsyncGenerator[asyncio.TaskGroup, None]:
    """A task group that cancels the others on the first failure and raises that failure itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def until(ready: Callable[[], Awaitable[bool]]) -> None:
    """Returns once `ready` is true."""
    while True:
        if await ready():
            return
        await asyncio.sleep(POLL_SECONDS)


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
