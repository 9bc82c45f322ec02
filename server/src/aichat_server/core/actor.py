"""Who acts: what row-level security and an audit log go by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """What acts."""

    MEMBER = "member"
    """A member of an organisation, by a call."""
    JOB = "job"
    """A job of the workers."""
    COMMAND = "command"
    """An operator, by a command."""
    SERVER = "server"
    """The server itself, such as when it looks up who calls."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in a session of the database."""

    kind: ActorKind
    name: str = ""
    """The job's or the command's; empty for others."""
    member_id: UUID | None = None
    """None for all but members."""
    key_id: UUID | None = None
    """The member's API key; None where the member signed in otherwise."""
    request_id: str = ""
    """The call's, as its log lines have it; empty outside of calls."""
    client_address: str = ""
    """Where the call came from: an IP address, as the edge or the connection says; empty outside of calls."""

    @classmethod
    def member(
        cls, member_id: UUID, key_id: UUID | None = None, *, request_id: str = "", client_address: str = ""
    ) -> Actor:
        """A member who calls."""
        return cls(ActorKind.MEMBER, "", member_id, key_id, request_id, client_address)

    @classmethod
    def job(cls, name: str) -> Actor:
        """The job of that name."""
        return cls(ActorKind.JOB, name)

    @classmethod
    def command(cls, name: str) -> Actor:
        """The command of that name."""
        return cls(ActorKind.COMMAND, name)

    @classmethod
    def server(cls) -> Actor:
        """The server itself."""
        return cls(ActorKind.SERVER)


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Names who acts, for this task and for those that it starts meanwhile, wherever a session names nobody else."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> Actor:
    """Returns who acts, as `acting_as` says; the server itself if it says nothing."""
    return _acting.get() or Actor.server()
