"""Work lists: what jobs may see across organisations, which is where there is work and no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.domain.stream import GenerationKey, OrphanedKey
from aichat_server.storage.tables import leases


class WorkList:
    """Ids and times of every organisation. The work itself is done in each one's own transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def orphans(self, now: datetime, limit: int, after: OrphanedKey | None) -> Sequence[OrphanedKey]:
        """At most `limit` generations whose lease was over at `now`, the oldest first, from behind `after` on.

        The database's clock, which the leases go by, has the last word: a job whose own is ahead ends none too early.
        """
        place = (leases.c.expires_at, leases.c.org_id, leases.c.generation_id)
        query = select(*place).where(leases.c.expires_at <= func.least(now, func.now()))
        if after is not None:
            query = query.where(tuple_(*place) > tuple_(after.expired_at, *after.key))
        rows = (await self._connection.execute(query.order_by(*place).limit(limit))).all()
        return [OrphanedKey(GenerationKey(row.org_id, row.generation_id), row.expires_at) for row in rows]
