"""The actor of a session, for row-level security and an audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    """The kind of an actor."""

    MEMBER = "member"
    """A member of an organisation, in a call."""
    JOB = "job"
    """A job of the workers."""
    COMMAND = "command"
    """An operator, in a command."""
    SERVER = "server"
    """The server itself, for example while it identifies a caller."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor of a database session."""

    kind: ActorKind
    name: str = ""
    """The name of the job or the command; empty for others."""
    member_id: UUID | None = None
    """None for all except members."""
    key_id: UUID | None = None
    """The member's API key; None if the member signed in otherwise."""
    request_id: str = ""
    """The call's request id, as in its log lines; empty outside of calls."""
    client_address: str = ""
    """The caller's IP address, from the edge or the connection; empty outside of calls."""

    @classmethod
    def member(
        cls, member_id: UUID, key_id: UUID | None = None, *, request_id: str = "", client_address: str = ""
    ) -> Actor:
        """Returns a member who makes a call."""
        return cls(ActorKind.MEMBER, "", member_id, key_id, request_id, client_address)

    @classmethod
    def job(cls, name: str) -> Actor:
        """Returns the job with that name."""
        return cls(ActorKind.JOB, name)

    @classmethod
    def command(cls, name: str) -> Actor:
        """Returns the command with that name."""
        return cls(ActorKind.COMMAND, name)

    @classmethod
    def server(cls) -> Actor:
        """Returns the server itself."""
        return cls(ActorKind.SERVER)


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Sets the actor of this task, and of tasks that it starts inside, for sessions that name no other."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def current_actor() -> Actor:
    """Returns the actor set by `acting_as`; the server itself if none is set."""
    return _acting.get() or Actor.server()
