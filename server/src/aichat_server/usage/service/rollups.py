"""Hourly sums of usage: computed when an hour is over, again after late turns, and again on request."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aichat_server.core.database.batches import Progress, at_once
from aichat_server.core.database.database import Database
from aichat_server.identity.service.directory import organization_pages
from aichat_server.usage.storage.rollups import Place, RollupRepository, roll_up

_HOURS_AT_ONCE = 500


class Rollups:
    """The hourly sums of all organisations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, now: datetime) -> int:
        """Sums every hour that was over at `now` and has new turns since its last sum; returns their number.

        Does not wait for turns that are just ending: the next run sums their hour. May run twice concurrently.
        """
        hours, place = await self._roll_up(now, None)
        while place is not None:
            more, place = await self._roll_up(now, place)
            hours += more
        return hours

    async def rebuild(self, now: datetime, org_id: UUID | None = None) -> int:
        """Sums all hours of one organisation, or of all, from the ledger again; correct rows stay untouched."""
        if org_id is not None:
            await self._reopen(org_id)
        else:
            async for page in organization_pages(self._database, Progress()):
                await at_once(page, self._reopen)
        return await self.run(now)

    async def mismatches(self, org_id: UUID, start: datetime, end: datetime) -> tuple[datetime, ...]:
        """Returns the summed hours that begin in the range and whose sums differ from the ledger.

        There should be none. `rebuild` corrects the sums.
        """
        async with self._database.session(org_id) as session:
            return await RollupRepository(session).mismatches(start, end)

    async def _roll_up(self, now: datetime, after: Place | None) -> tuple[int, Place | None]:
        async with self._database.platform_session() as session:
            return await roll_up(session, now, _HOURS_AT_ONCE, after)

    async def _reopen(self, org_id: UUID) -> None:
        async with self._database.session(org_id) as session:
            await RollupRepository(session).reopen()
