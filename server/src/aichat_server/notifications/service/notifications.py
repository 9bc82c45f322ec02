"""Members' settings for e-mails, and the unsubscribe links."""

from __future__ import annotations

from uuid import UUID

from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.directory import Directory
from aichat_server.notifications.domain import unsubscribe
from aichat_server.notifications.storage.notifications import NotificationRepository


class Notifications:
    """The members' settings for e-mails."""

    def __init__(self, database: Database, secret: str | None) -> None:
        """`secret` signs the links of e-mails; None if none are sent, in which case every link is refused."""
        self._database = database
        self._secret = secret

    async def wants_quota_warnings(self, principal: Principal) -> bool:
        """Whether the caller gets e-mails about quotas."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            return await NotificationRepository(session).wants_quota_warnings(principal.member_id)

    async def update(self, principal: Principal, quota_warnings: bool | None) -> bool:
        """Changes the values that are not None; returns whether the caller gets e-mails about quotas."""
        if quota_warnings is None:
            return await self.wants_quota_warnings(principal)
        async with self._database.session(principal.org_id, principal.actor) as session:
            await _set_quota_warnings(session, principal.member_id, quota_warnings)
        return quota_warnings

    def check(self, token: str) -> None:
        """Raises UNSUBSCRIBE_TOKEN_INVALID if none of our e-mails had this token."""
        self._read(token)

    async def unsubscribe(self, token: str) -> None:
        """Ends the kind of e-mail that carried the token; raises UNSUBSCRIBE_TOKEN_INVALID if none of ours had it."""
        org_id, member_id = self._read(token)
        async with self._database.session(org_id, Actor.member(member_id)) as session:
            await _set_quota_warnings(session, member_id, False)

    def _read(self, token: str) -> tuple[UUID, UUID]:
        named = unsubscribe.read(self._secret, token) if self._secret else None
        if named is None:
            message = "this link is incomplete, or this platform did not send it; follow the one in the newest e-mail"
            raise AichatError(Reason.UNSUBSCRIBE_TOKEN_INVALID, message)
        return named


async def _set_quota_warnings(session: Session, member_id: UUID, wanted: bool) -> None:
    """Stores whether the member wants them; does nothing if the organisation has no such member."""
    if await Directory(session).has_member(member_id):
        await NotificationRepository(session).set_quota_warnings(member_id, wanted)
