"""The workers' commands: `python -m aichat_workers serve | run | health`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from aichat_server.app.jobs import build_jobs
from aichat_server.app.telemetry import open_telemetry
from aichat_server.core.clock_skew import ClockWrongError
from aichat_server.core.errors import AichatError
from aichat_server.core.periods import period_of
from aichat_server.jobs.service.runs import JobBusyError
from aichat_server.settings import Settings, SettingsError, load_settings

from aichat_workers.registry import JOBS
from aichat_workers.runs import preview, run
from aichat_workers.serve import serve
from aichat_workers.watch import report_health


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 1 for a failure, 2 for an invalid setting or period."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        match options.command:
            case "serve":
                return asyncio.run(serve(settings))
            case "health":
                return asyncio.run(_health(settings))
            case _:
                return asyncio.run(_run(settings, options.job, options.period, dry_run=options.dry_run))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except AichatError as error:
        sys.stderr.write(f"{error.message}\n")
    except (JobBusyError, ClockWrongError) as error:
        sys.stderr.write(f"{error}\n")
    except TimeoutError:
        sys.stderr.write("it took too long: the next run continues\n")
    return 1


async def _run(settings: Settings, name: str, period_name: str | None, *, dry_run: bool) -> int:
    job = JOBS[name]
    with open_telemetry(settings, "aichat-workers", None) as observer:
        async with build_jobs(settings, observer) as jobs:
            now = await jobs.clock.agreed()
            try:
                period = job.parse(period_name, now, preview=dry_run) if period_name is not None else job.current(now)
            except ValueError as error:
                sys.stderr.write(f"{error}\n")
                return 2
            outcome = await (preview if dry_run else run)(job, jobs, period)
    about = f"{name} {period.name}" if period else name
    sys.stdout.write(f"{about}{' (dry run)' if dry_run else ''}: {outcome}\n")
    return 0


async def _health(settings: Settings) -> int:
    with open_telemetry(settings, "aichat-workers", None) as observer:
        async with build_jobs(settings, observer) as jobs:
            table, well = await report_health(jobs)
    sys.stdout.write(f"{table}\n")
    return 0 if well else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m aichat_workers", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="run the jobs when they are due, until a signal stops it")
    commands.add_parser("health", help="show the state of all jobs; fails if one is late or failing")
    command = commands.add_parser("run", help="run one job now, whether it is due or not")
    jobs = command.add_subparsers(required=True, dest="job", metavar="JOB")
    for job in JOBS.values():
        one = jobs.add_parser(job.name, help=job.purpose)
        one.add_argument("--dry-run", action="store_true", help="show what it would do, and change nothing")
        one.set_defaults(period=None)
        if job.cadence is not None:
            example = period_of(job.cadence, datetime.now(UTC)).name
            one.add_argument("--period", metavar=job.cadence.upper(), help=f"run it for this period, such as {example}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
