"""The hourly sums of what organisations used, as stored."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

_TIME = DateTime(timezone=True)
_ROLL_UP = text("SELECT after_org_id, after_hour, summed FROM aichat.roll_up(:now, :most, :org_id, :hour)").bindparams(
    bindparam("now", type_=_TIME), bindparam("org_id", type_=Uuid), bindparam("hour", type_=_TIME)
)
_REOPEN = text("SELECT aichat.reopen(:org_id)")
_MISMATCHES = text("SELECT hour FROM aichat.mismatches(:org_id, :start, :end) AS m (hour) ORDER BY hour").bindparams(
    bindparam("start", type_=_TIME), bindparam("end", type_=_TIME)
)


class Place(NamedTuple):
    """An hour of an organisation on the list of those to be summed up."""

    org_id: UUID
    hour: datetime


async def roll_up(
    connection: AsyncConnection, now: datetime, most: int, after: Place | None
) -> tuple[int, Place | None]:
    """Sums up hours that were over at `now`, in one transaction: at most `most` of the list, from behind `after` on.

    Returns how many, and where to go on; None at the list's end. Sets the tenant by itself.
    """
    org_id, hour = after or (None, None)
    row = (await connection.execute(_ROLL_UP, {"now": now, "most": most, "org_id": org_id, "hour": hour})).one()
    return row.summed, Place(row.after_org_id, row.after_hour) if row.after_org_id else None


class RollupRepository:
    """One organisation's hourly sums."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def reopen(self) -> None:
        """Puts every hour that was ever used, or is thought to have been, on the list of those to be summed up."""
        await self._connection.execute(_REOPEN, {"org_id": self._org_id})

    async def mismatches(self, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """The hours that begin in the range and are summed up, but not to what the books say; there should be none."""
        values = {"org_id": self._org_id, "start": start, "end": end}
        return tuple((await self._connection.execute(_MISMATCHES, values)).scalars())
