"""What jobs may know of all organisations: where there is work, and nothing else."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.storage.tables import organizations


class WorkLists:
    """The lists of work that span organisations. The work itself is done inside each of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def organizations(self, limit: int, after: UUID | None = None) -> tuple[UUID, ...]:
        """At most `limit` organisations, by id, from behind `after` on."""
        query = select(organizations.c.org_id).order_by(organizations.c.org_id).limit(limit)
        if after is not None:
            query = query.where(organizations.c.org_id > after)
        return tuple((await self._connection.execute(query)).scalars())
