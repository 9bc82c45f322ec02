"""Organisations, their members and their users, as stored."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.database.tables import members, organizations, users
from aichat_server.plans.domain import Plan

_OWNER = "owner"


class OrganizationRepository:
    """One organisation. What is there already is left as it is."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def ensure(self, name: str, owner_id: UUID) -> bool:
        """Makes the organisation, with one member who owns it; False if both are there."""
        return (await self._connection.execute(self._insert(name, owner_id))).rowcount > 0

    async def first_owner(self) -> UUID | None:
        """Who has owned it the longest; None if there is no such organisation."""
        query = select(members.c.member_id).where(members.c.org_id == self._org_id, members.c.role == _OWNER)
        query = query.order_by(members.c.created_at, members.c.member_id).limit(1)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def set_plan(self, plan: Plan, at: datetime | None = None) -> None:
        """Puts the organisation on a plan from `at` on, or from now on; what is past stays as it was."""
        change = func.aichat.set_plan(self._org_id, plan.value, func.now() if at is None else at)
        await self._connection.execute(select(change))

    async def plan(self) -> Plan:
        """The plan that it is on."""
        query = select(organizations.c.plan).where(organizations.c.org_id == self._org_id)
        return Plan((await self._connection.execute(query)).scalar_one())

    async def name(self) -> str:
        """What it is called."""
        query = select(organizations.c.name).where(organizations.c.org_id == self._org_id)
        return str((await self._connection.execute(query)).scalar_one())

    async def is_owner(self, member_id: UUID) -> bool:
        """Whether the member is one of its owners."""
        owner = exists().where(
            members.c.org_id == self._org_id, members.c.member_id == member_id, members.c.role == _OWNER
        )
        return bool((await self._connection.execute(select(owner))).scalar_one())

    async def count_members(self) -> int:
        """How many members it has."""
        query = select(func.count()).select_from(members).where(members.c.org_id == self._org_id)
        return int((await self._connection.execute(query)).scalar_one())

    async def email_of(self, user_id: UUID) -> str | None:
        """The address of a user who is a member; None for a program."""
        query = select(users.c.email).where(users.c.user_id == user_id)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def set_contact(self, email: str | None) -> bool:
        """Sets where e-mails for members without an address go; False if the organisation is not there."""
        change = update(organizations).where(organizations.c.org_id == self._org_id)
        return (await self._connection.execute(change.values(contact_email=email))).rowcount > 0

    async def time_zone(self) -> str:
        """The IANA name of the zone whose days its usage is shown by."""
        query = select(organizations.c.time_zone).where(organizations.c.org_id == self._org_id)
        return str((await self._connection.execute(query)).scalar_one())

    async def set_time_zone(self, name: str) -> bool:
        """Changes that; False if there is no such organisation."""
        change = update(organizations).where(organizations.c.org_id == self._org_id).values(time_zone=name)
        return (await self._connection.execute(change)).rowcount > 0

    async def ensure_personal(self, user_id: UUID, email: str | None) -> Plan:
        """Makes a user and the organisation that is the user's own, unless they are there; keeps the email current.

        Returns the organisation's plan. One statement. The tenant's member must be the user.
        """
        user = insert(users).values(user_id=user_id, email=email)
        user = user.on_conflict_do_update(
            index_elements=[users.c.user_id],
            set_={"email": user.excluded.email},
            where=users.c.email.is_distinct_from(user.excluded.email),
        )
        member = self._insert(email or str(user_id), user_id).cte("made_member")
        # An organisation that is made by this statement is not visible to it yet.
        plan = select(organizations.c.plan).where(organizations.c.org_id == self._org_id).scalar_subquery()
        query = select(func.coalesce(plan, Plan.FREE.value)).add_cte(user.cte("made_user"), member)
        return Plan((await self._connection.execute(query)).scalar_one())

    def _insert(self, name: str, owner_id: UUID) -> Insert:
        organization = insert(organizations).values(org_id=self._org_id, name=name).on_conflict_do_nothing()
        member = insert(members).values(org_id=self._org_id, member_id=owner_id, role=_OWNER).on_conflict_do_nothing()
        return member.add_cte(organization.cte("made_organization"))
