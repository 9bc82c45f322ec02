"""Sets the operators' limits for organisations, their members and their keys."""

from __future__ import annotations

from uuid import UUID

from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import Quota, QuotaName


class Quotas:
    """The quotas of all organisations. A change applies from the next turn on, and counts earlier spending."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, org_id: UUID, name: QuotaName, hard: NanoUsd | None, soft: NanoUsd | None) -> bool:
        """Sets or replaces a quota, with at least one limit.

        Returns False if its organisation, member or key does not exist.
        """
        async with self._database.tenant(org_id) as tenant:
            if not await tenant.quotas.has_owner(name):
                return False
            await tenant.quotas.set(name, hard, soft)
            return True

    async def remove(self, org_id: UUID, name: QuotaName) -> bool:
        """Removes a quota; returns False if there is none."""
        async with self._database.tenant(org_id) as tenant:
            return await tenant.quotas.remove(name)

    async def list(self, org_id: UUID) -> tuple[Quota, ...]:
        """Returns an organisation's quotas with their current use."""
        async with self._database.tenant(org_id) as tenant:
            return await tenant.quotas.list()
