"""The jobs: each has a name, a schedule, and a use case that it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from aichat_server.app.jobs import Jobs
from aichat_server.core.database.batches import Progress
from aichat_server.core.periods import Cadence, Period, parse_period, period_of

from aichat_workers.previews import preview_backlog, preview_files, preview_invoices, preview_purge, preview_warnings

Work = Callable[[Jobs, datetime, Progress], Awaitable[object]]
Preview = Callable[[Jobs, datetime], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Job:
    """A job. It may run twice, late or concurrently with itself, and may be killed at any point."""

    name: str
    """Its name in commands and in the queue."""
    purpose: str
    schedule: str
    """When it runs, in cron's syntax and UTC."""
    most_seconds: float
    """How long a run may take; the next run does what is left."""
    run: Work
    """Does the work as of the given moment, continuing an unfinished run, and returns the outcome."""
    preview: Preview
    """Returns what a run would do, and changes nothing."""
    cadence: Cadence | None = None
    """The length of its periods; a missed period is run later.

    None: it has none, and every run does all that is due.
    """
    closed: bool = False
    """Whether a run is for the last completed period, instead of the current one."""

    def current(self, now: datetime) -> Period | None:
        """Returns the period for which a run at `now` is."""
        if self.cadence is None:
            return None
        running = period_of(self.cadence, now)
        return running.previous if self.closed else running

    def moment(self, period: Period | None, now: datetime) -> datetime:
        """Returns the moment as of which a run for the period works at `now`."""
        if period is None:
            return now
        return period.end if self.closed else min(now, period.end)

    def parse(self, name: str, now: datetime, *, preview: bool) -> Period:
        """Returns the period with that name.

        Raises ValueError if the job has no such period, or may not run for it yet.
        """
        if self.cadence is None:
            raise ValueError(f"{self.name} has no periods")
        period = parse_period(self.cadence, name)
        if period.start > now:
            raise ValueError(f"{name} has not begun")
        if self.closed and period.end > now and not preview:
            raise ValueError(f"{name} is not over: it can be run with --dry-run only")
        return period


async def _act_on_webhooks(jobs: Jobs, now: datetime, _: Progress) -> object:
    return "no STRIPE_SECRET_KEY" if jobs.webhooks is None else await jobs.webhooks.process_pending(now)


async def _end_graces(jobs: Jobs, now: datetime, _: Progress) -> object:
    return "no STRIPE_SECRET_KEY" if jobs.subscriptions is None else await jobs.subscriptions.end_graces(now)


async def _warn(jobs: Jobs, now: datetime, progress: Progress) -> object:
    return "no SMTP_URL" if jobs.warnings is None else await jobs.warnings.run(now, progress)


async def _collect_files(jobs: Jobs, now: datetime, progress: Progress) -> object:
    return "no AICHAT_FILES_URL" if jobs.files is None else await jobs.files.run(now, progress)


_ALL = (
    Job(
        "orphans",
        "end the answers of lost server processes",
        "* * * * *",
        300.0,
        lambda jobs, now, _: jobs.orphans.reap(now),
        preview_backlog(lambda backlog: backlog.orphans, "answers to end"),
    ),
    Job(
        "webhooks",
        "process the payment provider's events",
        "* * * * *",
        300.0,
        _act_on_webhooks,
        preview_backlog(lambda backlog: backlog.due_webhooks, "events to process"),
    ),
    Job(
        "outbox",
        "send waiting e-mails and refunds",
        "* * * * *",
        300.0,
        lambda jobs, now, _: jobs.outbox.relay(now),
        preview_backlog(lambda backlog: backlog.due_messages, "messages to send"),
    ),
    Job(
        "graces",
        "end the grace period of unpaid plans",
        "15 * * * *",
        3600.0,
        _end_graces,
        preview_backlog(lambda backlog: backlog.ended_graces, "organisations to check"),
    ),
    Job(
        "rollups",
        "sum usage by the hour",
        "*/10 * * * *",
        3600.0,
        lambda jobs, now, _: jobs.rollups.run(now),
        preview_backlog(lambda backlog: backlog.closed_hours, "hours to sum"),
        Cadence.HOUR,
        closed=True,
    ),
    Job(
        "warnings",
        "store and send due e-mails about quotas",
        "0 8 * * *",
        3600.0,
        _warn,
        preview_warnings,
        Cadence.DAY,
    ),
    Job(
        "purge",
        "delete expired data",
        "40 3 * * *",
        3600.0,
        lambda jobs, now, progress: jobs.retention.purge(now, progress),
        preview_purge,
        Cadence.DAY,
    ),
    Job(
        "files",
        "delete files that no message uses",
        "10 4 * * *",
        3600.0,
        _collect_files,
        preview_files,
        Cadence.DAY,
    ),
    Job(
        "invoices",
        "advance a month's invoices as far as possible",
        "20 */6 * * *",
        4 * 3600.0,
        lambda jobs, now, progress: jobs.invoices.run_last(now, progress),
        preview_invoices,
        Cadence.MONTH,
        closed=True,
    ),
)

JOBS: Mapping[str, Job] = MappingProxyType({job.name: job for job in _ALL})
