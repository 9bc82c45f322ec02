"""Sessions: each is one transaction of one organisation or of the platform, with an actor.

A session knows no feature. A feature creates its repositories from a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction of one organisation. Other organisations' data are invisible in it."""

    connection: AsyncConnection
    org_id: UUID
    actor: Actor


@dataclass(frozen=True, slots=True)
class PlatformSession:
    """A transaction of no organisation. It reads what belongs to none, and where there is work for any of them."""

    connection: AsyncConnection


class Repository:
    """The base of repositories: one organisation's data of one kind."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection
        self._org_id = session.org_id


class PlatformRepository:
    """The base of repositories for data of no organisation, or of any."""

    def __init__(self, session: PlatformSession) -> None:
        self._connection = session.connection
