"""`python -m aichat_sandbox run`: the whole platform on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .run import run


def main() -> int:
    """Runs the command that the arguments name; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aichat_sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("run", help="boot the platform and keep it up until Ctrl-C")
    command.add_argument("--folder", type=Path, default=Path(".sandbox"), help="keeps data, logs and key (.sandbox)")
    options = parser.parse_args()
    return run(options.folder.resolve())


if __name__ == "__main__":
    sys.exit(main())
