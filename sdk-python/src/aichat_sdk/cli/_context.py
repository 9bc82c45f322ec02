"""What every subcommand needs."""

from __future__ import annotations

import json
from asyncio import Runner
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TypeVar

import betterproto2

from aichat_sdk.cli._json import Part, document, fields
from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.client import AsyncAIChat

ItemT = TypeVar("ItemT")

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C interrupted."""


@dataclass(frozen=True, slots=True)
class Context:
    """The client and the terminal."""

    client: AsyncAIChat
    endpoint: str
    runner: Runner
    """Runs coroutines one after another in one event loop; Ctrl-C cancels the running one."""
    terminal: Terminal
    json: bool
    """Whether to print JSON for a program."""

    def document(self, **parts: Part) -> int:
        """Prints one JSON object and returns the exit code for success."""
        self.terminal.line(document(parts))
        return 0

    def fields(self, message: betterproto2.Message) -> int:
        """Prints a message's own fields as one JSON object, and returns the exit code for success."""
        self.terminal.line(fields(message))
        return 0

    def values(self, **values: str) -> int:
        """Prints plain values as one JSON object, and returns the exit code for success."""
        self.terminal.line(json.dumps(values))
        return 0

    def all(self, items: AsyncIterable[ItemT]) -> list[ItemT]:
        """Returns all items of a list."""

        async def collect() -> list[ItemT]:
            return [item async for item in items]

        return self.runner.run(collect())
