"""Deletes generations without a message, answers that are kept for retries, failures, and old periods of quotas.

What was charged stays in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aichat_server.core.database.database import Database
from aichat_server.notifications.service.warnings import forget_warnings
from aichat_server.quotas.service import forget_periods
from aichat_server.retention.storage import ForgettingRepository

GENERATIONS_KEPT = timedelta(days=90)
"""For generations without a message: a request_id is known for this long, whatever was deleted."""
ANSWERS_KEPT = timedelta(hours=24)
"""For answers that are kept for retries: a call that is repeated with its Idempotency-Key gets them so long."""
FAILURES_KEPT = timedelta(days=400)
"""For turns that cost nothing; the hourly sums count them as long."""
QUOTA_PERIODS_KEPT = timedelta(days=400)

_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The numbers of what was deleted."""

    generations: int = 0
    answers: int = 0
    """Answers that were kept for retries."""
    failures: int = 0
    quota_periods: int = 0
    """Charges and warnings in periods of quotas."""

    def __add__(self, other: Forgotten) -> Forgotten:
        return Forgotten(
            self.generations + other.generations,
            self.answers + other.answers,
            self.failures + other.failures,
            self.quota_periods + other.quota_periods,
        )

    def __str__(self) -> str:
        turns = f"{self.generations} generations, {self.answers} answers kept for retries, {self.failures} failures"
        return f"{turns}, {self.quota_periods} periods of quotas"


async def forget(database: Database, org_id: UUID, now: datetime) -> Forgotten:
    """Deletes one organisation's old data in small batches, so that nobody waits for long."""
    total = Forgotten()
    after: UUID | None = None
    while True:
        async with database.session(org_id) as session:
            forgetting = ForgettingRepository(session)
            generations, after = await forgetting.generations(now - GENERATIONS_KEPT, _LOOKED_AT, after)
            answers = await forgetting.kept_answers(now - ANSWERS_KEPT, _LOOKED_AT)
            failures = await forgetting.failures(now - FAILURES_KEPT, _LOOKED_AT)
            quota_periods = await forget_periods(session, now - QUOTA_PERIODS_KEPT)
            quota_periods += await forget_warnings(session, now - QUOTA_PERIODS_KEPT)
        total += Forgotten(generations, answers, failures, quota_periods)
        if after is None and max(answers, failures) < _LOOKED_AT:
            return total
