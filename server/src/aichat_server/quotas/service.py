"""Sets the operators' limits for organisations, their members and their keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never
from uuid import UUID

from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.money import NanoUsd
from aichat_server.identity.service.directory import Directory
from aichat_server.quotas.domain import PlatformLimit, Quota, QuotaName, QuotaScope
from aichat_server.quotas.storage.platform_limits import set_limits
from aichat_server.quotas.storage.quotas import QuotaRepository


class Quotas:
    """The quotas of all organisations. A change applies from the next turn on, and counts earlier spending."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, org_id: UUID, name: QuotaName, hard: NanoUsd | None, soft: NanoUsd | None) -> bool:
        """Sets or replaces a quota, with at least one limit.

        Returns False if its organisation, member or key does not exist.
        """
        async with self._database.session(org_id) as session:
            if not await _has_owner(session, name):
                return False
            await QuotaRepository(session).set(name, hard, soft)
            return True

    async def remove(self, org_id: UUID, name: QuotaName) -> bool:
        """Removes a quota; returns False if there is none."""
        async with self._database.session(org_id) as session:
            return await QuotaRepository(session).remove(name)

    async def list(self, org_id: UUID) -> tuple[Quota, ...]:
        """Returns an organisation's quotas with their current use."""
        async with self._database.session(org_id) as session:
            return await QuotaRepository(session).list()


async def _has_owner(session: Session, name: QuotaName) -> bool:
    """Whether the organisation, its member or its key exists."""
    directory = Directory(session)
    match name.scope:
        case QuotaScope.ORGANIZATION:
            return name.id == session.org_id and await directory.is_there()
        case QuotaScope.MEMBER:
            return await directory.has_member(name.id)
        case QuotaScope.KEY:
            return await directory.member_of_key(name.id) is not None
        case _:
            assert_never(name.scope)


async def list_quotas(session: Session) -> tuple[Quota, ...]:
    """Returns an organisation's quotas with their current use."""
    return await QuotaRepository(session).list()


async def set_platform_limits(database: Database, limits: Mapping[PlatformLimit, NanoUsd]) -> None:
    """Sets the platform's limits for all its servers, from the next turn on."""
    async with database.platform_session() as session:
        await set_limits(session, limits)


async def forget_periods(session: Session, before: datetime) -> int:
    """Deletes the charges of periods that began before then; returns their number."""
    return await QuotaRepository(session).forget_periods(before)
