"""Generations whose process is lost, as stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.generations.storage.turn_rows import read_path
from aichat_server.providers.domain.requests import PathMessage

_FIND = text(
    """
    SELECT
        g.member_id, g.conversation_id, g.user_message_id, g.message_id, g.model, g.provider, g.started_at,
        coalesce(g.options ->> 'system_prompt', '') AS system_prompt,
        aichat.message_path(g.org_id, g.user_message_id)::text AS path
    FROM aichat.generations AS g
    WHERE g.org_id = :org_id AND g.generation_id = :generation_id AND g.state = 'running'
    """
)

_FORGET = text(
    """
    DELETE FROM aichat.leases AS l USING aichat.generations AS g
    WHERE l.org_id = :org_id AND l.generation_id = :generation_id
      AND g.org_id = l.org_id AND g.generation_id = l.generation_id AND g.state <> 'running'
    """
)


@dataclass(frozen=True, slots=True)
class Orphan:
    """What is known of a turn that nobody writes any more, but for what came of it."""

    member_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    model: str
    """The model that was asked for."""
    provider: str
    started_at: datetime
    system_prompt: str
    path: tuple[PathMessage, ...]
    """The conversation from its first message to the user's; empty if it was deleted."""


class OrphanRepository:
    """One organisation's."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def find(self, generation_id: UUID) -> Orphan | None:
        """The turn; None if it has ended."""
        parameters = {"org_id": self._org_id, "generation_id": generation_id}
        row = (await self._connection.execute(_FIND, parameters)).one_or_none()
        if row is None:
            return None
        return Orphan(
            row.member_id,
            row.conversation_id,
            row.user_message_id,
            row.message_id,
            row.model,
            row.provider,
            row.started_at,
            row.system_prompt,
            read_path(row.path),
        )

    async def forget(self, generation_id: UUID) -> None:
        """Takes a generation that has ended off the work list."""
        await self._connection.execute(_FORGET, {"org_id": self._org_id, "generation_id": generation_id})
