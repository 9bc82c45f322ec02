"""Previews what jobs would do, for `run JOB --dry-run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from aichat_server.app.jobs import Jobs
from aichat_server.jobs.domain.backlog import Backlog


def preview_backlog(count: Callable[[Backlog], int], words: str) -> Callable[[Jobs, datetime], Awaitable[str]]:
    """Returns a preview that shows one of the backlog's counts."""

    async def preview(jobs: Jobs, now: datetime) -> str:
        return f"{count(await jobs.watch.backlog(now))} {words}"

    return preview


async def preview_warnings(jobs: Jobs, now: datetime) -> str:
    """Returns how many warnings are due and not yet stored."""
    return "no SMTP_URL" if jobs.warnings is None else f"{await jobs.warnings.due(now)} warnings to send"


async def preview_purge(jobs: Jobs, now: datetime) -> str:
    """Returns how many conversations are older than their plan allows."""
    return f"{await jobs.retention.stale(now)} conversations to delete"


async def preview_files(jobs: Jobs, now: datetime) -> str:
    """Returns how many files no message has used for a day."""
    return "no AICHAT_FILES_URL" if jobs.files is None else f"{await jobs.files.due(now)} files to delete"


async def preview_invoices(jobs: Jobs, now: datetime) -> str:
    """Returns a line for each invoice with an amount or a problem."""
    outcomes = await jobs.invoices.preview_last(now)
    lines = [f"{one.org_id}  {(one.total or 0) / 100:.2f} USD  {one.trouble or one.stage or 'new'}" for one in outcomes]
    return "\n".join([f"{len(lines)} invoices", *lines])
