"""Erases members and API keys, as the schema's owner."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Function, func, select

from aichat_server.core.database.session import PlatformRepository
from aichat_server.identity.domain.erasure import Erasure


class ErasureRepository(PlatformRepository):
    """Erases data of any organisation, in a session of the schema's owner."""

    async def erase_key(self, org_id: UUID, key_id: UUID) -> Erasure:
        """Erases an API key."""
        return await self._erase(func.aichat.erase_key(org_id, key_id))

    async def erase_member(self, org_id: UUID, member_id: UUID, *, is_personal: bool) -> Erasure:
        """Erases a member with its conversations and keys.

        `is_personal`: the organisation is the member's personal one.
        """
        return await self._erase(func.aichat.erase_member(org_id, member_id, is_personal))

    async def _erase(self, call: Function[str]) -> Erasure:
        return Erasure((await self._connection.execute(select(call))).scalar_one())
