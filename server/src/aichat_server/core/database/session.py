"""Sessions: one transaction each, of one organisation or of the platform, in which somebody acts.

A session knows no feature. A feature makes its repositories from a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Session:
    """A transaction of one organisation. Nothing of another organisation's is visible in it."""

    connection: AsyncConnection
    org_id: UUID
    actor: Actor


@dataclass(frozen=True, slots=True)
class PlatformSession:
    """A transaction of no organisation. It reads what belongs to none, and where there is work for any of them."""

    connection: AsyncConnection


class Repository:
    """The base of repositories: what one organisation has stored of something."""

    def __init__(self, session: Session) -> None:
        self._connection = session.connection
        self._org_id = session.org_id


class PlatformRepository:
    """The base of repositories of what belongs to no organisation, or to any."""

    def __init__(self, session: PlatformSession) -> None:
        self._connection = session.connection
