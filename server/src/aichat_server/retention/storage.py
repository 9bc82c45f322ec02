"""Deletes what an organisation no longer needs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, func, select, text

from aichat_server.core.database.session import Repository

_GENERATIONS = text(
    "SELECT after, forgotten FROM aichat.purge_generations(:org_id, :before, :after, :most)"
).bindparams(bindparam("before", type_=DateTime(timezone=True)), bindparam("after", type_=Uuid))
_ANSWERS = text(
    "DELETE FROM aichat.kept_answers AS k WHERE k.org_id = :org_id AND k.generation_id IN ("
    "SELECT o.generation_id FROM aichat.kept_answers AS o "
    "WHERE o.org_id = :org_id AND o.created_at < :before LIMIT :most)"
).bindparams(bindparam("before", type_=DateTime(timezone=True)))


class ForgettingRepository(Repository):
    """Deletes one organisation's data, a batch at a time."""

    async def generations(self, before: datetime, most: int, after: UUID | None) -> tuple[int, UUID | None]:
        """Checks `most` generations after `after`, and deletes those that ended before then and have no message.

        Returns their number, and where to continue; None at the end.
        """
        values = {"org_id": self._org_id, "before": before, "after": after, "most": most}
        row = (await self._connection.execute(_GENERATIONS, values)).one()
        return row.forgotten, row.after

    async def kept_answers(self, before: datetime, most: int) -> int:
        """Deletes at most `most` answers that are kept for retries since before then; returns their number."""
        values = {"org_id": self._org_id, "before": before, "most": most}
        return (await self._connection.execute(_ANSWERS, values)).rowcount

    async def failures(self, before: datetime, most: int) -> int:
        """Deletes at most `most` turns that failed before then and cost nothing; returns their number."""
        query = select(func.aichat.purge_failures(self._org_id, before, most))
        return int((await self._connection.execute(query)).scalar_one())
