"""The workers' commands: `python -m aichat_workers serve | run`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from aichat_server.app.jobs import begin_process, build_jobs
from aichat_server.domain.errors import AichatError
from aichat_server.settings import Settings, SettingsError

from aichat_workers.registry import JOBS
from aichat_workers.runs import run
from aichat_workers.serve import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 1 for a failure, 2 for settings that will not do."""
    options = _parser().parse_args(arguments)
    try:
        settings = begin_process()
        return asyncio.run(serve(settings) if options.command == "serve" else _run(settings, options.job))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except AichatError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1


async def _run(settings: Settings, name: str) -> int:
    async with build_jobs(settings) as jobs:
        outcome = await run(JOBS[name], jobs)
    sys.stdout.write(f"{name}: {outcome}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aichat_workers", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="run the jobs when they are due, until it is told to stop")
    command = commands.add_parser("run", help="run one job now, whether it is due or not")
    jobs = command.add_subparsers(required=True, dest="job", metavar="JOB")
    for job in JOBS.values():
        jobs.add_parser(job.name, help=job.purpose)
    return parser


if __name__ == "__main__":
    sys.exit(main())
