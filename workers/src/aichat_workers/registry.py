"""The jobs: each has a name, a schedule, and a use case that it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from aichat_server.app.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Job:
    """One job. It may run twice, late, at once with itself, and be killed at any point."""

    name: str
    """What commands and the queue call it."""
    purpose: str
    schedule: str
    """When it runs, in cron's words and UTC."""
    most_seconds: float
    """For how long it may run; what it leaves then it does the next time."""
    run: Callable[[Jobs, datetime], Awaitable[object]]
    """Does it, as of the moment given; returns what came of it."""


async def _warn(jobs: Jobs, now: datetime) -> object:
    return "no SMTP_URL" if jobs.warnings is None else await jobs.warnings.run(now)


_ALL = (
    Job(
        "orphans",
        "end the answers whose server process is lost",
        "* * * * *",
        300.0,
        lambda jobs, now: jobs.orphans.reap(now),
    ),
    Job("rollups", "sum usage up by the hour", "*/10 * * * *", 3600.0, lambda jobs, now: jobs.rollups.run(now)),
    Job(
        "invoices",
        "bring last month's invoices as far as they go",
        "20 */6 * * *",
        3600.0,
        lambda jobs, now: jobs.invoices.run_last(now),
    ),
    Job("warnings", "send the e-mails that are due about quotas", "0 8 * * *", 3600.0, _warn),
)

JOBS: Mapping[str, Job] = MappingProxyType({job.name: job for job in _ALL})
