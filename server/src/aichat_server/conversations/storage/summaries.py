"""Summaries of the beginnings of long conversations, as stored."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from aichat_server.content.stored import encode_json
from aichat_server.core.database.database import Database

_FIND = "SELECT summary, followed_by FROM aichat.find_summary($1)"
_KEEP = "SELECT aichat.keep_summary($1)"


class Summary(NamedTuple):
    """A summary of a conversation from its first message on."""

    text: str
    followed_by: int
    """How many messages follow those that it summarises, up to the newest."""


class SummaryStore:
    """Stores summaries; a deleted conversation takes its own along."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def find(self, org_id: UUID, message_id: UUID) -> Summary | None:
        """Returns the summary that reaches furthest of what a message follows. Raises STORAGE_UNAVAILABLE."""
        value = {"org_id": org_id, "message_id": message_id}
        text, followed_by = await self._pool.fetchrow_again(_FIND, encode_json(value))
        return Summary(text, followed_by) if text is not None else None

    async def keep(self, org_id: UUID, message_id: UUID, summary: Summary) -> None:
        """Stores a summary; `message_id`: the newest message that follows. Raises STORAGE_UNAVAILABLE."""
        value = {"org_id": org_id, "message_id": message_id}
        told = {"followed_by": summary.followed_by, "summary": summary.text}
        await self._pool.fetchrow_again(_KEEP, encode_json(value | told))
