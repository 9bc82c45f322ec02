"""Stores members' settings for e-mails."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.database.tables import members
from aichat_server.core.database.tables import notification_settings as table


class NotificationRepository:
    """The settings of one organisation's members."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def wants_quota_warnings(self, member_id: UUID) -> bool:
        """Whether the member wants them; True by default."""
        own = select(table.c.quota_warnings).where(table.c.org_id == self._org_id, table.c.member_id == member_id)
        return (await self._connection.execute(own)).scalar_one_or_none() is not False

    async def set_quota_warnings(self, member_id: UUID, wanted: bool) -> None:
        """Stores whether the member wants them; does nothing if the organisation has no such member."""
        there = exists().where(members.c.org_id == self._org_id, members.c.member_id == member_id)
        if not (await self._connection.execute(select(there))).scalar_one():
            return
        change = insert(table).values(org_id=self._org_id, member_id=member_id, quota_warnings=wanted)
        await self._connection.execute(
            change.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={"quota_warnings": wanted, "updated_at": func.now()},
            )
        )
