"""Stores conversations."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, case, exists, func, literal, select, tuple_
from sqlalchemy import delete as delete_from
from sqlalchemy import insert as insert_into
from sqlalchemy import update as update_of

from aichat_server.conversations.domain import Conversation
from aichat_server.conversations.storage.tables import conversations as table
from aichat_server.conversations.storage.tables import messages
from aichat_server.core.database.session import Repository
from aichat_server.core.pages import Page, PageKey


class ConversationRepository(Repository):
    """One organisation's conversations."""

    async def create(self, conversation_id: UUID, member_id: UUID, title: str) -> Conversation:
        """Stores a new conversation without messages."""
        values = {
            "org_id": self._org_id,
            "conversation_id": conversation_id,
            "member_id": member_id,
            "title": title,
            "created_at": func.now(),
            "updated_at": func.now(),
        }
        return _conversation((await self._connection.execute(insert_into(table).values(values).returning(table))).one())

    async def get(self, conversation_id: UUID) -> Conversation | None:
        """Returns the conversation, or None."""
        row = (await self._connection.execute(select(table).where(*self._is(conversation_id)))).one_or_none()
        return _conversation(row) if row else None

    async def list(self, limit: int, after: PageKey | None) -> Page[Conversation]:
        """Returns at most `limit` conversations, the most recently changed first, after the key `after`."""
        rows = (await self._connection.execute(list_conversations(self._org_id, limit + 1, after))).all()
        items = tuple(_conversation(row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return Page(items, PageKey(last.updated_at, last.conversation_id) if last else None)

    async def set_title(self, conversation_id: UUID, title: str) -> Conversation | None:
        """Changes the title; the same title changes nothing. Returns None if there is no such conversation."""
        changed = case((table.c.title != title, func.clock_timestamp()), else_=table.c.updated_at)
        update = update_of(table).where(*self._is(conversation_id)).values(title=title, updated_at=changed)
        row = (await self._connection.execute(update.returning(table))).one_or_none()
        return _conversation(row) if row else None

    async def delete(self, conversation_id: UUID) -> bool:
        """Deletes the conversation and its messages; returns False if there is none."""
        result = await self._connection.execute(delete_from(table).where(*self._is(conversation_id)))
        return result.rowcount > 0

    async def purge(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` conversations that are not in use and did not change since then.

        Returns their number.
        """
        stale = self._stale(before).order_by(table.c.updated_at).limit(limit)
        # Repeated here, so that it is checked again for a conversation that gets a question in the meantime.
        gone = (table.c.org_id == self._org_id, table.c.updated_at < before, table.c.conversation_id.in_(stale))
        return (await self._connection.execute(delete_from(table).where(*gone))).rowcount

    async def count_stale(self, before: datetime) -> int:
        """Returns how many are not in use and did not change since then."""
        query = select(func.count()).select_from(self._stale(before).subquery())
        return int((await self._connection.execute(query)).scalar_one())

    def _stale(self, before: datetime) -> Select[tuple[UUID]]:
        here = (messages.c.org_id == table.c.org_id) & (messages.c.conversation_id == table.c.conversation_id)
        written = exists().where(here, messages.c.running)
        stale = (table.c.org_id == self._org_id, table.c.updated_at < before, ~written)
        return select(table.c.conversation_id).where(*stale)

    def _is(self, conversation_id: UUID) -> tuple[ColumnElement[bool], ...]:
        return table.c.org_id == self._org_id, table.c.conversation_id == conversation_id


def list_conversations(org_id: UUID, limit: int, after: PageKey | None) -> Select[tuple[object, ...]]:
    """Returns the query of `list`: backwards along the index conversations_by_update."""
    place = tuple_(table.c.updated_at, table.c.conversation_id)
    query = select(table).where(table.c.org_id == org_id)
    if after is not None:
        query = query.where(place < tuple_(literal(after.time), literal(after.id)))
    return query.order_by(table.c.updated_at.desc(), table.c.conversation_id.desc()).limit(limit)


def _conversation(row: Row[tuple[object, ...]]) -> Conversation:
    return Conversation(
        conversation_id=row.conversation_id,
        org_id=row.org_id,
        member_id=row.member_id,
        title=row.title,
        created_at=row.created_at,
        updated_at=row.updated_at,
        head_message_id=row.head_message_id,
    )
