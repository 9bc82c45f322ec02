"""Hourly sums of usage: made for each hour that is over, again when one gets late turns, and anew on request."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aichat_server.core.database.batches import Progress, at_once, organizations
from aichat_server.core.database.database import Database

_HOURS_AT_ONCE = 500


class Rollups:
    """The hourly sums of all organisations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, now: datetime) -> int:
        """Sums up every hour that was over at `now` and has got turns since it last was; returns how many.

        Turns that are just ending are not waited for: their hour keeps for the next run. May run twice at once.
        """
        hours, place = await self._database.roll_up(now, _HOURS_AT_ONCE, None)
        while place is not None:
            more, place = await self._database.roll_up(now, _HOURS_AT_ONCE, place)
            hours += more
        return hours

    async def rebuild(self, now: datetime, org_id: UUID | None = None) -> int:
        """Sums up all hours of an organisation, or of all, from the books anew; rows that are right are not touched."""
        if org_id is not None:
            await self._reopen(org_id)
        else:
            async for page in organizations(self._database, Progress()):
                await at_once(page, self._reopen)
        return await self.run(now)

    async def mismatches(self, org_id: UUID, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """The hours, of those that begin in the range and are summed up, whose sums are not what the books say.

        There are none, or something is badly wrong. `rebuild` mends the sums.
        """
        async with self._database.tenant(org_id) as tenant:
            return await tenant.rollups.mismatches(start, end)

    async def _reopen(self, org_id: UUID) -> None:
        async with self._database.tenant(org_id) as tenant:
            await tenant.rollups.reopen()
