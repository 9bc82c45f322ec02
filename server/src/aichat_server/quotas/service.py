"""What organisations, their members and their keys may spend, as operators set it."""

from __future__ import annotations

from uuid import UUID

from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import Quota, QuotaName


class Quotas:
    """The quotas of any organisation. A change holds from the next turn on, and counts what was spent before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, org_id: UUID, name: QuotaName, hard: NanoUsd | None, soft: NanoUsd | None) -> bool:
        """Sets or replaces a quota, with one limit at least; False if there is nobody whose it would be."""
        async with self._database.tenant(org_id) as tenant:
            if not await tenant.quotas.has_owner(name):
                return False
            await tenant.quotas.set(name, hard, soft)
            return True

    async def remove(self, org_id: UUID, name: QuotaName) -> bool:
        """Takes a quota away; False if there is none."""
        async with self._database.tenant(org_id) as tenant:
            return await tenant.quotas.remove(name)

    async def list(self, org_id: UUID) -> tuple[Quota, ...]:
        """An organisation's quotas, with what is used of them."""
        async with self._database.tenant(org_id) as tenant:
            return await tenant.quotas.list()
