"""Stores the hourly sums of usage."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, text

from aichat_server.core.database.session import PlatformSession, Repository

_TIME = DateTime(timezone=True)
_ROLL_UP = text("SELECT after_org_id, after_hour, summed FROM aichat.roll_up(:now, :most, :org_id, :hour)").bindparams(
    bindparam("now", type_=_TIME), bindparam("org_id", type_=Uuid), bindparam("hour", type_=_TIME)
)
_EXTEND_BOOKS = text("SELECT aichat.extend_books()")
_REOPEN = text("SELECT aichat.reopen(:org_id)")
_MISMATCHES = text("SELECT hour FROM aichat.mismatches(:org_id, :start, :end) AS m (hour) ORDER BY hour").bindparams(
    bindparam("start", type_=_TIME), bindparam("end", type_=_TIME)
)


class Place(NamedTuple):
    """An organisation's hour on the list of hours to sum."""

    org_id: UUID
    hour: datetime


async def roll_up(session: PlatformSession, now: datetime, most: int, after: Place | None) -> tuple[int, Place | None]:
    """Sums hours that were over at `now`, in one transaction: at most `most` of the list, after the place `after`.

    Returns their number, and the place to continue from; None at the list's end. Sets the tenant itself.
    """
    org_id, hour = after or (None, None)
    row = (await session.connection.execute(_ROLL_UP, {"now": now, "most": most, "org_id": org_id, "hour": hour})).one()
    return row.summed, Place(row.after_org_id, row.after_hour) if row.after_org_id else None


async def extend_books(session: PlatformSession) -> int:
    """Creates the ledger's partitions for this month and the next three; returns the number of new ones."""
    return int((await session.connection.execute(_EXTEND_BOOKS)).scalar_one())


class RollupRepository(Repository):
    """One organisation's hourly sums."""

    async def reopen(self) -> None:
        """Puts every hour that has usage, or has sums, on the list of hours to sum."""
        await self._connection.execute(_REOPEN, {"org_id": self._org_id})

    async def mismatches(self, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """Returns the summed hours that begin in the range and differ from the ledger; there should be none."""
        values = {"org_id": self._org_id, "start": start, "end": end}
        return tuple((await self._connection.execute(_MISMATCHES, values)).scalars())
