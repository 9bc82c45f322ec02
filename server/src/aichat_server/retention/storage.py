"""Deletes what an organisation no longer needs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.database.tables import quota_usage, quota_warnings

_GENERATIONS = text(
    "SELECT after, forgotten FROM aichat.purge_generations(:org_id, :before, :after, :most)"
).bindparams(bindparam("before", type_=DateTime(timezone=True)), bindparam("after", type_=Uuid))


class ForgettingRepository:
    """Deletes one organisation's data, a batch at a time."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def generations(self, before: datetime, most: int, after: UUID | None) -> tuple[int, UUID | None]:
        """Checks `most` generations after `after`, and deletes those that ended before then and have no message.

        Returns their number, and where to continue; None at the end.
        """
        values = {"org_id": self._org_id, "before": before, "after": after, "most": most}
        row = (await self._connection.execute(_GENERATIONS, values)).one()
        return row.forgotten, row.after

    async def failures(self, before: datetime, most: int) -> int:
        """Deletes at most `most` turns that failed before then and cost nothing; returns their number."""
        query = select(func.aichat.purge_failures(self._org_id, before, most))
        return int((await self._connection.execute(query)).scalar_one())

    async def quota_periods(self, before: datetime) -> int:
        """Deletes charges and warnings of quotas' periods that began before then."""
        used = delete(quota_usage).where(quota_usage.c.org_id == self._org_id, quota_usage.c.period_start < before)
        warned = delete(quota_warnings).where(
            quota_warnings.c.org_id == self._org_id,
            quota_warnings.c.period_start < before,
            quota_warnings.c.state != "pending",
        )
        return sum([(await self._connection.execute(change)).rowcount for change in (used, warned)])
