"""The `aichat` command, run as a person runs it: from a shell, through pipes, or on a terminal."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aichat_sdk.cli import main

from tests.unit.sdk.scripted import API_KEY

COMMAND = Path(sys.executable).parent / "aichat"


@dataclass(frozen=True)
class Finished:
    """The result of a command."""

    code: int
    out: str
    err: str


class Aichat:
    """Runs the `aichat` command as a user's shell does, in its own directory."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        self.directory = directory
        self.environment: dict[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AICHAT_")},
            "AICHAT_ENDPOINT": endpoint,
            "AICHAT_API_KEY": API_KEY,
            "XDG_STATE_HOME": f"{directory}/state",
            "XDG_CONFIG_HOME": f"{directory}/config",
        }

    async def start(self, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            COMMAND, *arguments, cwd=self.directory, env=self.environment, stdin=stdin, stdout=pipe, stderr=pipe
        )

    async def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        process = await self.start(*arguments, stdin=asyncio.subprocess.PIPE)
        async with asyncio.timeout(30):
            out, err = await process.communicate(stdin.encode())
        return Finished(process.returncode or 0, out.decode(), err.decode())


class InProcess:
    """Runs the `aichat` command in this process, which is cheaper: for what no other process can change."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], directory: Path) -> None:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", f"{directory}/state")
        patch.setenv("XDG_CONFIG_HOME", f"{directory}/config")
        patch.delenv("AICHAT_MODEL", raising=False)
        self._patch = patch
        self._capture = capture

    def at(self, endpoint: str, api_key: str) -> None:
        """Chooses the platform."""
        self._patch.setenv("AICHAT_ENDPOINT", endpoint)
        self._patch.setenv("AICHAT_API_KEY", api_key)

    async def __call__(self, *arguments: str, stdin: bytes = b"") -> Finished:
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capture.readouterr()
        code = await asyncio.to_thread(_code_of, list(arguments))
        return Finished(code, *self._capture.readouterr())


def _code_of(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


class Screen:
    """The `aichat` command on a terminal, as a person sees it."""

    def __init__(self, terminal: int) -> None:
        self.shown = ""
        self._terminal = terminal
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._read)

    def _read(self) -> None:
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._terminal)
        self.shown += chunk.decode(errors="replace")
        self._changed.set()

    def lines(self) -> list[str]:
        """Returns the final lines on the screen, without colours."""
        lines, row, column = [""], 0, 0
        for escape, number, kind, text in re.findall(r"(\x1b\[([0-9;?]*)([A-Za-z]))|([^\x1b]|\x1b(?!\[))", self.shown):
            if kind == "A":
                row -= int(number or 1)
            elif kind == "K":
                lines[row] = ""
            elif text == "\r":
                column = 0
            elif text == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif not escape:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + 1 :]
                column += 1
        return [line.rstrip() for line in lines]

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    async def until(self, text: str, times: int = 1) -> None:
        """Waits until the text has been shown `times` times."""
        async with asyncio.timeout(30):
            while self.shown.count(text) < times:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def on_a_terminal(aichat: Aichat, *arguments: str) -> AsyncIterator[tuple[Screen, asyncio.subprocess.Process]]:
    ours, theirs = os.openpty()
    environment = {**aichat.environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, cwd=aichat.directory, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        yield Screen(ours), process
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        if process.returncode is None:
            process.kill()
        await process.wait()
        os.close(ours)
