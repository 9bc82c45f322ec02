"""The work lists: ids of all tenants, for jobs to go through them one by one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.storage.tables import organizations


class WorkList:
    """What is to be done, and for whom."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def organizations(self) -> tuple[UUID, ...]:
        """Every organisation."""
        query = select(organizations.c.org_id).order_by(organizations.c.org_id)
        return tuple((await self._connection.execute(query)).scalars())
