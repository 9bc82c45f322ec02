"""Organisations that operators set up, and their API keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid5

from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.time_zones import load_zone
from aichat_server.identity.domain import api_keys
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan

# Never change it: the id of every named organisation derives from it.
_NAMED_ORGANIZATIONS = UUID("a3f0c1d2-58b7-4d0e-8a55-0f6f2f5a9c31")


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new API key, which is not shown again."""

    org_id: UUID
    member_id: UUID
    key_id: UUID
    api_key: str = field(repr=False)


class NameTakenError(Exception):
    """An organisation with that name exists already."""

    def __init__(self, org_id: UUID) -> None:
        super().__init__(f"the name is that of the organisation {org_id}")
        self.org_id = org_id


class Organizations:
    """Organisations by name, and their API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mint_key(
        self, name: str, *, expires_in: timedelta | None = None, plan: Plan | None = None, is_owners: bool = True
    ) -> MintedKey:
        """Creates an organisation called `name`, and an API key for it; raises NameTakenError if it exists.

        `plan` sets its plan, by default Free. `is_owners`: whether the key may do what only owners may, such as pay.

        The organisation's id derives from its name, since row-level security lets nobody search all organisations. The
        id of its one member derives from its own id.
        """
        org_id = uuid5(_NAMED_ORGANIZATIONS, name)
        member_id = uuid5(org_id, "owner")
        async with self._database.session(org_id, Actor.member(member_id)) as session:
            if not await OrganizationRepository(session).ensure(name, member_id):
                raise NameTakenError(org_id)
            return await _mint(session, org_id, member_id, expires_in, plan, is_owners=is_owners)

    async def mint_another_key(
        self, org_id: UUID, *, expires_in: timedelta | None = None, plan: Plan | None = None, is_owners: bool = False
    ) -> MintedKey | None:
        """Creates another API key of an organisation's first owner; returns None if the organisation does not exist."""
        async with self._database.session(org_id) as session:
            member_id = await OrganizationRepository(session).first_owner()
            if member_id is None:
                return None
            return await _mint(session, org_id, member_id, expires_in, plan, is_owners=is_owners)

    async def set_contact(self, org_id: UUID, email: str | None) -> bool:
        """Sets the address for members without one, None to remove it.

        Returns False if the organisation does not exist.
        """
        async with self._database.session(org_id) as session:
            return await OrganizationRepository(session).set_contact(email)

    async def set_time_zone(self, org_id: UUID, name: str) -> bool:
        """Sets the time zone of an organisation's usage; returns False if the organisation does not exist.

        Raises ValueError if there is no such zone.
        """
        load_zone(name)
        async with self._database.session(org_id) as session:
            return await OrganizationRepository(session).set_time_zone(name)

    async def revoke_keys_of(self, org_id: UUID, member_id: UUID) -> None:
        """Revokes all of a member's API keys."""
        async with self._database.session(org_id) as session:
            await ApiKeyRepository(session).revoke_all(member_id)

    async def revoke_key(self, org_id: UUID, key_id: UUID) -> bool:
        """Revokes an API key; returns False if the organisation has no such key."""
        async with self._database.session(org_id) as session:
            return await ApiKeyRepository(session).revoke(key_id)


async def _mint(
    session: Session, org_id: UUID, member_id: UUID, expires_in: timedelta | None, plan: Plan | None, *, is_owners: bool
) -> MintedKey:
    if plan is not None:
        await OrganizationRepository(session).set_plan(plan)
    key_id, text = api_keys.new_key(org_id)
    await ApiKeyRepository(session).add(key_id, member_id, api_keys.digest(text), expires_in, is_owners=is_owners)
    return MintedKey(org_id, member_id, key_id, text)
