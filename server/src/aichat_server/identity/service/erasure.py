"""Erases members and API keys, as the schema's owner, except for their ids in the ledger."""

from __future__ import annotations

from uuid import UUID

from aichat_server.core.database.owner import owner_session
from aichat_server.identity.domain.erasure import Erasure
from aichat_server.identity.domain.principals import personal_org_id
from aichat_server.identity.storage.erasure import ErasureRepository


async def erase_key(url: str, org_id: UUID, key_id: UUID) -> Erasure:
    """Erases an API key, as the owner that `url` names. Raises STORAGE_UNAVAILABLE if the database is unreachable."""
    async with owner_session(url) as session:
        return await ErasureRepository(session).erase_key(org_id, key_id)


async def erase_member(url: str, org_id: UUID, member_id: UUID) -> Erasure:
    """Erases a member with its conversations and keys, as the owner that `url` names.

    Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    is_personal = org_id == personal_org_id(member_id)
    async with owner_session(url) as session:
        return await ErasureRepository(session).erase_member(org_id, member_id, is_personal=is_personal)
