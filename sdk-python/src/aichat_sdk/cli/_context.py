"""What every subcommand works with."""

from __future__ import annotations

from asyncio import Runner
from dataclasses import dataclass

from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.client import AsyncAIChat

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended."""


@dataclass(frozen=True, slots=True)
class Context:
    """The platform, and the person before it."""

    client: AsyncAIChat
    runner: Runner
    """Runs one coroutine after the other in one event loop; Ctrl-C cancels the running one."""
    terminal: Terminal
