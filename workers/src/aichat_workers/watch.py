"""Observes all jobs, for metrics and for `health`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NoReturn

import structlog
from aichat_server.app.jobs import Jobs
from aichat_server.core.clock_skew import tell_skew
from aichat_server.core.errors import AichatError
from aichat_server.jobs.domain.jobs import JobsSeen

from aichat_workers.lags import lags_at
from aichat_workers.registry import JOBS

_log = structlog.get_logger()

_EVERY_SECONDS = 15.0


async def keep_watch(jobs: Jobs) -> NoReturn:
    """Observes the jobs at regular intervals, for the metrics."""
    begun = jobs.clock.now()
    while True:
        try:
            await _look(jobs, begun)
        except AichatError as error:
            _log.warning("jobs not observed", reason=error.reason)
        await asyncio.sleep(_EVERY_SECONDS)


async def report_health(jobs: Jobs) -> tuple[str, bool]:
    """Returns a table of all jobs, and whether all is well.

    All is well if no job fails or is too late, the queue is reachable, and this machine's clock is right.
    """
    now = await jobs.clock.read()
    seen = await _look(jobs, now)
    late = {name for name, lag in seen.lags.items() if lag > JOBS[name].most_seconds}
    failing = {name for name, state in seen.states.items() if name in JOBS and state.failing}
    lines = [f"{'JOB':<10} {'LAST GOOD END':<21} {'LATE BY':>9} {'RUNS':>7} {'FAILURES':>9}"]
    for name in sorted(JOBS):
        state = seen.states.get(name)
        end = f"{state.succeeded_at:%Y-%m-%d %H:%M:%SZ}" if state and state.succeeded_at else "never"
        runs, failures = (state.runs, state.failures) if state else (0, 0)
        trouble = "  failing" * (name in failing) + "  late" * (name in late)
        lines.append(f"{name:<10} {end:<21} {seen.lags[name]:>8.0f}s {runs:>7} {failures:>9}{trouble}")
    depth = seen.queue
    lines.append(f"queue: {depth.waiting} waiting, {depth.dead} given up" if depth else "queue: unreachable")
    lines.append(tell_skew(jobs.clock.skew) + ": no job runs here" * jobs.clock.is_wrong)
    return "\n".join(lines), not late and not failing and depth is not None and not jobs.clock.is_wrong


async def _look(jobs: Jobs, begun: datetime) -> JobsSeen:
    now = jobs.clock.now()
    return await jobs.watch.look(now, lambda states: lags_at(now, begun, states))
