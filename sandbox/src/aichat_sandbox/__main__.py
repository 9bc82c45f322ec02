"""`python -m aichat_sandbox run`: the whole platform on this machine; `env` tells programs where it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .env import env
from .run import run


def main() -> int:
    """Runs the command that the arguments name; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aichat_sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    running = commands.add_parser("run", help="boot the platform and keep it up until Ctrl-C")
    running.set_defaults(run=run)
    telling = commands.add_parser("env", help="print endpoint, key and a session token as export lines for a shell")
    telling.set_defaults(run=env)
    for command in (running, telling):
        command.add_argument(
            "--folder", type=Path, default=Path(".sandbox"), help="keeps data, logs and key (.sandbox)"
        )
    options = parser.parse_args()
    code: int = options.run(options.folder.resolve())
    return code


if __name__ == "__main__":
    sys.exit(main())
