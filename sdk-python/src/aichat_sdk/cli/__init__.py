"""The `aichat` command: chats with the platform from a terminal."""

from __future__ import annotations

import io
import os
import sys
from asyncio import Runner

from aichat_sdk.cli._advice import advice
from aichat_sdk.cli._arguments import Command, Local, parse
from aichat_sdk.cli._context import INTERRUPTED, Context
from aichat_sdk.cli._json import failure
from aichat_sdk.cli._target import connect
from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.errors import AIChatError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0, 1 for a failure, 2 for wrong usage, 130 if interrupted."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # It was closed before the command began: what is written there is lost.
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    command = parse(arguments)
    terminal = Terminal(silent=command.json)
    try:
        return command.run(terminal) if isinstance(command, Local) else _at_platform(command, terminal)
    except AIChatError as error:
        terminal.fail(failure(error)) if command.json else terminal.complain(advice(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe; without this Python reports it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        terminal.fail(failure(error)) if command.json else terminal.complain(str(error))
        return 1


def _at_platform(command: Command, terminal: Terminal) -> int:
    with Runner() as runner:
        client = connect(command.endpoint, command.api_key)
        try:
            return command.run(Context(client, client.endpoint, runner, terminal, command.json))
        finally:
            runner.run(client.close())
