"""Stores members' settings for e-mails."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import Repository
from aichat_server.notifications.storage.tables import notification_settings as table


class NotificationRepository(Repository):
    """The settings of one organisation's members."""

    async def wants_quota_warnings(self, member_id: UUID) -> bool:
        """Whether the member wants them; True by default."""
        own = select(table.c.quota_warnings).where(table.c.org_id == self._org_id, table.c.member_id == member_id)
        return (await self._connection.execute(own)).scalar_one_or_none() is not False

    async def set_quota_warnings(self, member_id: UUID, wanted: bool) -> None:
        """Stores whether the member wants them; does nothing if the organisation has no such member."""
        change = insert(table).values(org_id=self._org_id, member_id=member_id, quota_warnings=wanted)
        await self._connection.execute(
            change.on_conflict_do_update(
                index_elements=list(table.primary_key.columns),
                set_={"quota_warnings": wanted, "updated_at": func.now()},
            )
        )
