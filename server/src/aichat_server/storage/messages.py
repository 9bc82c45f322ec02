"""Messages, as stored."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, and_, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.domain.conversations import Answer, Message, MessageState, Role
from aichat_server.domain.events import StopReason
from aichat_server.domain.money import NanoUsd
from aichat_server.domain.pages import Page, PageKey
from aichat_server.domain.usage import Usage
from aichat_server.storage.content import StoredText, to_parts
from aichat_server.storage.tables import generations, messages


class MessageRepository:
    """One organisation's messages. Turns write them."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def list(self, conversation_id: UUID, limit: int, after: PageKey | None) -> Page[Message]:
        """At most `limit` of a conversation's messages, all branches, the oldest first, from behind `after` on."""
        query = list_messages(self._org_id, conversation_id, limit + 1, after)
        rows = (await self._connection.execute(query)).all()
        items = tuple(_message(row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return Page(items, PageKey(last.created_at, last.message_id) if last else None)


def list_messages(org_id: UUID, conversation_id: UUID, limit: int, after: PageKey | None) -> Select[tuple[object, ...]]:
    """The query behind `list`: along the index messages_by_time."""
    wrote = and_(generations.c.org_id == messages.c.org_id, generations.c.generation_id == messages.c.generation_id)
    answer = [column for column in generations.c if column.name not in messages.c]
    query = (
        select(messages, *answer)
        .join_from(messages, generations, wrote, isouter=True)
        .where(messages.c.org_id == org_id, messages.c.conversation_id == conversation_id)
    )
    if after is not None:
        place = tuple_(messages.c.created_at, messages.c.message_id)
        query = query.where(place > tuple_(literal(after.time), literal(after.id)))
    return query.order_by(messages.c.created_at, messages.c.message_id).limit(limit)


def _message(row: Row[tuple[object, ...]]) -> Message:
    return Message(
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        parent_message_id=row.parent_message_id,
        org_id=row.org_id,
        member_id=row.member_id,
        role=Role(row.role),
        parts=to_parts(msgspec.convert(row.parts, list[StoredText])),
        state=MessageState(row.state),
        created_at=row.created_at,
        answer=_answer(row) if row.generation_id else None,
    )


def _answer(row: Row[tuple[object, ...]]) -> Answer:
    usage = Usage(
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
        row.usage_estimated,
    )
    stop_reason = StopReason(row.stop_reason) if row.stop_reason else None
    return Answer(row.generation_id, row.model, stop_reason, usage, NanoUsd(row.cost_nano_usd))
