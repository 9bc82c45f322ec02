"""Stores organisations, their members and their users."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert

from aichat_server.core.database.session import PlatformSession, Repository
from aichat_server.identity.storage.tables import listed_organizations, members, organizations, users
from aichat_server.plans.domain import Plan

_OWNER = "owner"
_OWNERS_TO_TELL = text(
    """
    SELECT DISTINCT ON (lower(coalesce(nullif(u.email, ''), o.contact_email, m.member_id::text))) m.member_id
    FROM aichat.members AS m
    JOIN aichat.organizations AS o ON o.org_id = m.org_id
    LEFT JOIN aichat.users AS u ON u.user_id = m.member_id
    WHERE m.org_id = :org_id AND m.role = 'owner'
    ORDER BY lower(coalesce(nullif(u.email, ''), o.contact_email, m.member_id::text)), m.member_id
    """
)


class OrganizationRepository(Repository):
    """One organisation. Existing rows stay unchanged."""

    async def ensure(self, name: str, owner_id: UUID) -> bool:
        """Creates the organisation, with one member who owns it; returns False if both exist."""
        return (await self._connection.execute(self._insert(name, owner_id))).rowcount > 0

    async def first_owner(self) -> UUID | None:
        """Returns its longest-standing owner; None if there is no such organisation."""
        query = select(members.c.member_id).where(members.c.org_id == self._org_id, members.c.role == _OWNER)
        query = query.order_by(members.c.created_at, members.c.member_id).limit(1)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def set_plan(self, plan: Plan, at: datetime | None = None) -> None:
        """Sets the organisation's plan from `at` on, or from now on; the past stays as it was."""
        change = func.aichat.set_plan(self._org_id, plan.value, func.now() if at is None else at)
        await self._connection.execute(select(change))

    async def plan(self) -> Plan:
        """Returns its plan."""
        query = select(organizations.c.plan).where(organizations.c.org_id == self._org_id)
        return Plan((await self._connection.execute(query)).scalar_one())

    async def name(self) -> str:
        """Returns its name."""
        query = select(organizations.c.name).where(organizations.c.org_id == self._org_id)
        return str((await self._connection.execute(query)).scalar_one())

    async def is_owner(self, member_id: UUID) -> bool:
        """Whether the member is one of its owners."""
        owner = exists().where(
            members.c.org_id == self._org_id, members.c.member_id == member_id, members.c.role == _OWNER
        )
        return bool((await self._connection.execute(select(owner))).scalar_one())

    async def count_members(self) -> int:
        """Returns the number of its members."""
        query = select(func.count()).select_from(members).where(members.c.org_id == self._org_id)
        return int((await self._connection.execute(query)).scalar_one())

    async def has_member(self, member_id: UUID) -> bool:
        """Whether it has this member."""
        there = exists().where(members.c.org_id == self._org_id, members.c.member_id == member_id)
        return bool((await self._connection.execute(select(there))).scalar_one())

    async def owners_to_tell(self) -> tuple[UUID, ...]:
        """Returns its owners, for e-mails: only one of several with the same address."""
        return tuple((await self._connection.execute(_OWNERS_TO_TELL, {"org_id": self._org_id})).scalars())

    async def is_there(self) -> bool:
        """Whether there is such an organisation."""
        there = exists().where(organizations.c.org_id == self._org_id)
        return bool((await self._connection.execute(select(there))).scalar_one())

    async def email_of(self, user_id: UUID) -> str | None:
        """Returns the address of a user who is a member; None for a program."""
        query = select(users.c.email).where(users.c.user_id == user_id)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def set_contact(self, email: str | None) -> bool:
        """Sets the address for members without one; returns False if the organisation does not exist."""
        change = update(organizations).where(organizations.c.org_id == self._org_id)
        return (await self._connection.execute(change.values(contact_email=email))).rowcount > 0

    async def time_zone(self) -> str:
        """Returns the IANA name of the time zone of its usage."""
        query = select(organizations.c.time_zone).where(organizations.c.org_id == self._org_id)
        return str((await self._connection.execute(query)).scalar_one())

    async def set_time_zone(self, name: str) -> bool:
        """Changes that; returns False if there is no such organisation."""
        change = update(organizations).where(organizations.c.org_id == self._org_id).values(time_zone=name)
        return (await self._connection.execute(change)).rowcount > 0

    async def ensure_personal(self, user_id: UUID, email: str | None) -> Plan:
        """Creates a user and the user's personal organisation, unless they exist; keeps the email current.

        Returns the organisation's plan. One statement. The session's actor must be the user.
        """
        user = insert(users).values(user_id=user_id, email=email)
        user = user.on_conflict_do_update(
            index_elements=[users.c.user_id],
            set_={"email": user.excluded.email},
            where=users.c.email.is_distinct_from(user.excluded.email),
        )
        member = self._insert(email or str(user_id), user_id).cte("made_member")
        # An organisation that this statement creates is not visible to it yet.
        plan = select(organizations.c.plan).where(organizations.c.org_id == self._org_id).scalar_subquery()
        query = select(func.coalesce(plan, Plan.FREE.value)).add_cte(user.cte("made_user"), member)
        return Plan((await self._connection.execute(query)).scalar_one())

    def _insert(self, name: str, owner_id: UUID) -> Insert:
        organization = insert(organizations).values(org_id=self._org_id, name=name).on_conflict_do_nothing()
        member = insert(members).values(org_id=self._org_id, member_id=owner_id, role=_OWNER).on_conflict_do_nothing()
        return member.add_cte(organization.cte("made_organization"))


async def list_organizations(session: PlatformSession, after: UUID | None, limit: int) -> tuple[UUID, ...]:
    """Returns at most `limit` organisations after `after`, in the order of their ids."""
    query = select(listed_organizations.c.org_id).order_by(listed_organizations.c.org_id).limit(limit)
    if after is not None:
        query = query.where(listed_organizations.c.org_id > after)
    return tuple((await session.connection.execute(query)).scalars())
