"""`python -m aichat_sandbox run`: starts the whole platform on this machine.

`env` prints its addresses for programs.
"""

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
    running = commands.add_parser("run", help="start the platform and run it until Ctrl-C")
    running.set_defaults(run=run)
    telling = commands.add_parser(
        "env", help="print the endpoint, an API key and a session token as export lines for a shell"
    )
    telling.set_defaults(run=env)
    for command in (running, telling):
        command.add_argument(
            "--folder", type=Path, default=Path(".sandbox"), help="folder for data, logs and key (default: .sandbox)"
        )
    options = parser.parse_args()
    code: int = options.run(options.folder.resolve())
    return code


if __name__ == "__main__":
    sys.exit(main())
