"""The caller, and the caller's organisation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from aichat_server.core.actor import Actor
from aichat_server.plans.domain import Plan

# Never change it: every personal organisation's id derives from it.
PERSONAL_ORGANIZATIONS = UUID("6f1f5a3e-8f0b-4c55-9f0e-52f1a3c0d7b4")


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a member of an organisation, with an API key or a session token."""

    org_id: UUID
    member_id: UUID
    key_id: UUID | None = None
    """The API key that was used; None for a session token."""
    plan: Plan = Plan.FREE
    """The organisation's."""
    acts_as_member: bool = False
    """Whether it lacks owners' rights, even for an owner, because its API key is only for members' work."""
    request_id: str = ""
    """The call's request id; empty until it is set."""
    client_address: str = ""
    """The caller's address; empty until it is set."""

    def calling(self, request_id: str, client_address: str) -> Principal:
        """Returns the principal in one of its calls."""
        # Spelled out: `dataclasses.replace` takes several times as long, for each call.
        return Principal(
            self.org_id, self.member_id, self.key_id, self.plan, self.acts_as_member, request_id, client_address
        )

    @property
    def actor(self) -> Actor:
        """The caller as an actor of database sessions."""
        return Actor.member(self.member_id, self.key_id, request_id=self.request_id, client_address=self.client_address)


def personal_org_id(user_id: UUID) -> UUID:
    """Returns the id of a user's personal organisation."""
    return uuid5(PERSONAL_ORGANIZATIONS, str(user_id))
