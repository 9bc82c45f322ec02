"""Members and API keys of which nothing is to be left, as the schema's owner erases them."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import Function, func, select

from aichat_server.core.database.owner import owner_transaction
from aichat_server.identity.domain.principals import personal_org_id


class Erasure(StrEnum):
    """The outcome. But for the first, nothing was changed."""

    ERASED = "erased"
    MISSING = "missing"
    """There is nothing of the kind."""
    BUSY = "busy"
    """An answer is being written for it."""
    OWNER = "owner"
    """Nobody else owns the organisation."""


async def erase_key(url: str, org_id: UUID, key_id: UUID) -> Erasure:
    """Erases an API key, as the owner that `url` names; its id stays in the books. STORAGE_UNAVAILABLE."""
    return await _erase(url, func.aichat.erase_key(org_id, key_id))


async def erase_member(url: str, org_id: UUID, member_id: UUID) -> Erasure:
    """Erases a member, its conversations and its keys, as the owner that `url` names; its id stays in the books.

    STORAGE_UNAVAILABLE if the database is away.
    """
    is_personal = org_id == personal_org_id(member_id)
    return await _erase(url, func.aichat.erase_member(org_id, member_id, is_personal))


async def _erase(url: str, call: Function[str]) -> Erasure:
    async with owner_transaction(url) as connection:
        return Erasure((await connection.execute(select(call))).scalar_one())
