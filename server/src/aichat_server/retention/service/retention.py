"""Deletes what is kept for a limited time: conversations, as long as their plan says, and records of completed work.

It also makes room for what is kept forever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aichat_server.billing.service.webhooks import purge_webhooks
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.batches import Progress, at_once
from aichat_server.core.database.database import Database
from aichat_server.identity.service.directory import Directory, organization_pages
from aichat_server.jobs.service.runs import purge_runs
from aichat_server.plans.service import PlanBook
from aichat_server.retention.service.forgetting import Forgotten, forget
from aichat_server.usage.service.books import extend_books

WEBHOOKS_KEPT = timedelta(days=90)
"""Far longer than anybody asks about one; Stripe's signature on a webhook that old is no longer accepted."""
RUNS_KEPT = timedelta(days=400)
"""More than a year of months."""

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Purged:
    """What one run deleted."""

    conversations: int
    webhooks: int
    runs: int
    """Records of jobs."""
    months: int
    """The number of months for which the ledger got a partition."""
    forgotten: Forgotten

    def __str__(self) -> str:
        gone = f"{self.conversations} conversations, {self.forgotten}, {self.webhooks} webhooks"
        return f"{gone} and {self.runs} records of jobs deleted, {self.months} months of the ledger added"


class Retention:
    """Deletes the old data of all organisations. The ledger and the invoices are kept forever."""

    def __init__(self, database: Database, plans: PlanBook) -> None:
        self._database = database
        self._plans = plans
        self._conversations = Conversations(database)

    async def purge(self, now: datetime, progress: Progress | None = None) -> Purged:
        """Deletes what is too old at `now`; a conversation's age counts from its last change.

        Also creates the ledger's partitions for the coming months.
        """
        conversations, forgotten = 0, Forgotten()
        async for page in organization_pages(self._database, progress or Progress()):
            conversations += sum(await at_once(page, lambda org_id: self._purge(org_id, now)))
            for one in await at_once(page, lambda org_id: forget(self._database, org_id, now)):
                forgotten += one
        webhooks = await purge_webhooks(self._database, now - WEBHOOKS_KEPT)
        runs = await purge_runs(self._database, now - RUNS_KEPT)
        # Last: it may fail while others read the whole ledger for long, and has months of time.
        months = await extend_books(self._database)
        return Purged(conversations, webhooks, runs, months, forgotten)

    async def stale(self, now: datetime) -> int:
        """Returns how many conversations it would delete; changes nothing."""
        pages = organization_pages(self._database, Progress())
        return sum([sum(await at_once(page, lambda org_id: self._count(org_id, now))) async for page in pages])

    async def _limit(self, org_id: UUID, now: datetime) -> datetime | None:
        """Returns the moment from which the organisation's plan keeps conversations; None: it keeps all."""
        async with self._database.session(org_id) as session:
            days = self._plans.current(await Directory(session).plan()).retention_days
        return None if days is None else now - timedelta(days=days)

    async def _purge(self, org_id: UUID, now: datetime) -> int:
        before, deleted = await self._limit(org_id, now), 0
        while before is not None:
            # Few at a time, so that nobody waits for long.
            batch = await self._conversations.purge(org_id, before, _BATCH)
            deleted += batch
            if batch < _BATCH:
                break
        return deleted

    async def _count(self, org_id: UUID, now: datetime) -> int:
        before = await self._limit(org_id, now)
        if before is None:
            return 0
        return await self._conversations.count_stale(org_id, before)
