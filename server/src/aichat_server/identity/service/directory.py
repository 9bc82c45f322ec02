"""Organisations and their members, read by other features in their own transactions, or page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import UUID

from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository, list_organizations
from aichat_server.plans.domain import Plan

PAGE = 200


class Directory:
    """The organisation of a session."""

    def __init__(self, session: Session) -> None:
        self._organizations = OrganizationRepository(session)
        self._keys = ApiKeyRepository(session)

    async def is_there(self) -> bool:
        """Whether there is such an organisation."""
        return await self._organizations.is_there()

    async def name(self) -> str:
        """Returns its name."""
        return await self._organizations.name()

    async def time_zone(self) -> str:
        """Returns the IANA name of the time zone of its usage."""
        return await self._organizations.time_zone()

    async def plan(self) -> Plan:
        """Returns its plan."""
        return await self._organizations.plan()

    async def set_plan(self, plan: Plan, at: datetime) -> None:
        """Sets its plan from `at` on; the past stays as it was."""
        await self._organizations.set_plan(plan, at)

    async def count_members(self) -> int:
        """Returns the number of its members."""
        return await self._organizations.count_members()

    async def has_member(self, member_id: UUID) -> bool:
        """Whether it has this member."""
        return await self._organizations.has_member(member_id)

    async def is_owner(self, member_id: UUID) -> bool:
        """Whether the member is one of its owners."""
        return await self._organizations.is_owner(member_id)

    async def owners_to_tell(self) -> tuple[UUID, ...]:
        """Returns its owners, for e-mails: only one of several with the same address."""
        return await self._organizations.owners_to_tell()

    async def member_of_key(self, key_id: UUID) -> UUID | None:
        """Returns the member who owns the API key; None if there is no such key."""
        return await self._keys.member_of(key_id)

    async def email_of(self, member_id: UUID) -> str | None:
        """Returns the address of a member; None for a program."""
        return await self._organizations.email_of(member_id)


async def organization_pages(database: Database, progress: Progress) -> AsyncGenerator[tuple[UUID, ...], None]:
    """Yields pages of the organisations still to process. A page counts as done when the next one is requested."""
    while True:
        async with database.platform_session() as session:
            page = await list_organizations(session, progress.reached, PAGE)
        if not page:
            break
        yield page
        await progress.reach(page[-1])
    await progress.reach(None)
