"""Stores API keys: by hash."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, update

from aichat_server.core.database.session import Repository
from aichat_server.identity.storage.tables import api_keys as table
from aichat_server.identity.storage.tables import organizations
from aichat_server.plans.domain import Plan

_OWNER, _MEMBER = "owner", "member"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key, without the key itself."""

    org_id: UUID
    key_id: UUID
    member_id: UUID
    key_hash: bytes = field(repr=False)
    expires_in: timedelta | None
    """How long it is still valid, by the database's clock; None: forever."""
    revoked_at: datetime | None
    is_owners: bool
    """Whether it may do what only owners may, if its member is one."""
    plan: Plan
    """The organisation's."""


class ApiKeyRepository(Repository):
    """One organisation's API keys."""

    async def add(
        self, key_id: UUID, member_id: UUID, key_hash: bytes, expires_in: timedelta | None, *, is_owners: bool = False
    ) -> None:
        """Stores a new key of a member, valid for that long from now; None: forever."""
        expires_at = None if expires_in is None else func.now() + expires_in
        values = {"key_id": key_id, "member_id": member_id, "key_hash": key_hash, "expires_at": expires_at}
        role = _OWNER if is_owners else _MEMBER
        await self._connection.execute(insert(table).values(org_id=self._org_id, role=role, **values))

    async def find(self, key_id: UUID) -> StoredKey | None:
        """Returns the key, even if revoked or expired; None if there is none."""
        left = (table.c.expires_at - func.clock_timestamp()).label("expires_in")
        query = select(table, organizations.c.plan, left).join(organizations, organizations.c.org_id == table.c.org_id)
        query = query.where(table.c.org_id == self._org_id, table.c.key_id == key_id)
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        return StoredKey(
            row.org_id,
            row.key_id,
            row.member_id,
            row.key_hash,
            row.expires_in,
            row.revoked_at,
            is_owners=row.role == _OWNER,
            plan=Plan(row.plan),
        )

    async def member_of(self, key_id: UUID) -> UUID | None:
        """Returns the member who owns the key; None if there is no such key."""
        query = select(table.c.member_id).where(table.c.org_id == self._org_id, table.c.key_id == key_id)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def revoke(self, key_id: UUID) -> bool:
        """Revokes the key, once; returns False if there is none."""
        change = update(table).where(table.c.org_id == self._org_id, table.c.key_id == key_id)
        change = change.values(revoked_at=func.coalesce(table.c.revoked_at, func.now()))
        return (await self._connection.execute(change)).rowcount > 0

    async def revoke_all(self, member_id: UUID) -> None:
        """Revokes all of a member's keys."""
        change = update(table).where(table.c.org_id == self._org_id, table.c.member_id == member_id)
        await self._connection.execute(change.values(revoked_at=func.coalesce(table.c.revoked_at, func.now())))
