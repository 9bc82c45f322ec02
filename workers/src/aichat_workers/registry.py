"""The jobs: each has a name, a schedule, and a use case that it calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from aichat_server.app.jobs import Jobs
from aichat_server.core.database.batches import Progress
from aichat_server.core.periods import Cadence, Period, parse_period, period_of

from aichat_workers.previews import preview_backlog, preview_invoices, preview_purge, preview_warnings

Work = Callable[[Jobs, datetime, Progress], Awaitable[object]]
Preview = Callable[[Jobs, datetime], Awaitable[object]]


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
    run: Work
    """Does it, as of the moment given, from where an unfinished run came to; returns the outcome."""
    preview: Preview
    """Says what it would do, and changes nothing."""
    cadence: Cadence | None = None
    """How long its periods are, each of which is made up for when it was missed; None: every run does whatever there
    is to do."""
    closed: bool = False
    """Whether a run is about the period that was over last; else it is about the one that goes on."""

    def current(self, now: datetime) -> Period | None:
        """The period that a run at `now` is about."""
        if self.cadence is None:
            return None
        running = period_of(self.cadence, now)
        return running.previous if self.closed else running

    def moment(self, period: Period | None, now: datetime) -> datetime:
        """As of when a run for the period is to be done at `now`."""
        if period is None:
            return now
        return period.end if self.closed else min(now, period.end)

    def parse(self, name: str, now: datetime, *, preview: bool) -> Period:
        """The period of a name, of a job that has them; ValueError if it is none, or too early to run it for."""
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


_ALL = (
    Job(
        "orphans",
        "end the answers whose server process is lost",
        "* * * * *",
        300.0,
        lambda jobs, now, _: jobs.orphans.reap(now),
        preview_backlog(lambda backlog: backlog.orphans, "answers to end"),
    ),
    Job(
        "webhooks",
        "act on what the payment provider told",
        "* * * * *",
        300.0,
        _act_on_webhooks,
        preview_backlog(lambda backlog: backlog.due_webhooks, "events to act on"),
    ),
    Job(
        "outbox",
        "hand over e-mails and refunds that wait",
        "* * * * *",
        300.0,
        lambda jobs, now, _: jobs.outbox.relay(now),
        preview_backlog(lambda backlog: backlog.due_messages, "messages to hand over"),
    ),
    Job(
        "graces",
        "end the grace of plans that are not paid for",
        "15 * * * *",
        3600.0,
        _end_graces,
        preview_backlog(lambda backlog: backlog.ended_graces, "organisations to look at"),
    ),
    Job(
        "rollups",
        "sum usage up by the hour",
        "*/10 * * * *",
        3600.0,
        lambda jobs, now, _: jobs.rollups.run(now),
        preview_backlog(lambda backlog: backlog.closed_hours, "hours to sum up"),
        Cadence.HOUR,
        closed=True,
    ),
    Job(
        "warnings",
        "note and send the e-mails that are due about quotas",
        "0 8 * * *",
        3600.0,
        _warn,
        preview_warnings,
        Cadence.DAY,
    ),
    Job(
        "purge",
        "delete what is not kept any longer",
        "40 3 * * *",
        3600.0,
        lambda jobs, now, progress: jobs.retention.purge(now, progress),
        preview_purge,
        Cadence.DAY,
    ),
    Job(
        "invoices",
        "bring a month's invoices as far as they go",
        "20 */6 * * *",
        4 * 3600.0,
        lambda jobs, now, progress: jobs.invoices.run_last(now, progress),
        preview_invoices,
        Cadence.MONTH,
        closed=True,
    ),
)

JOBS: Mapping[str, Job] = MappingProxyType({job.name: job for job in _ALL})
