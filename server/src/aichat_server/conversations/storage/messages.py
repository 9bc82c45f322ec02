"""Stores messages."""

from __future__ import annotations

from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, Text, and_, case, cast, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from aichat_server.content.parts import Part, Role
from aichat_server.conversations.domain import Message, MessageState
from aichat_server.conversations.storage.tables import generations, messages
from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.core.pages import Page, PageKey
from aichat_server.generations.domain.generation import Answer, GenerationState
from aichat_server.models.domain.usage import TOKEN_COLUMNS, Usage
from aichat_server.providers.domain.events import StopReason

# A page of long messages ends early, before it exceeds the 4 MiB that gRPC clients accept.
MAX_PAGE_BYTES = 3 * 1024 * 1024


class MessageRepository(Repository):
    """One organisation's messages. Turns write them."""

    async def list(self, conversation_id: UUID, limit: int, after: PageKey | None) -> Page[Message]:
        """Returns at most `limit` of a conversation's messages, all branches, the oldest first, after the key `after`.

        Fewer if they are long: those after the first message must fit in MAX_PAGE_BYTES together with it.
        """
        query = list_messages(self._org_id, conversation_id, limit + 1, after)
        rows = (await self._connection.execute(query)).all()
        items = tuple(_message(row) for row in rows[:limit] if row.parts is not None)
        last = items[-1] if len(rows) > len(items) else None
        return Page(items, PageKey(last.created_at, last.message_id) if last else None)


def list_messages(org_id: UUID, conversation_id: UUID, limit: int, after: PageKey | None) -> Select[tuple[object, ...]]:
    """Returns the query of `list`: along the index messages_by_time. `parts` is null for messages that do not fit."""
    wrote = and_(generations.c.org_id == messages.c.org_id, generations.c.generation_id == messages.c.generation_id)
    answer = [column for column in generations.c if column.name not in messages.c]
    place = (messages.c.created_at, messages.c.message_id)
    content = func.coalesce(messages.c.content, messages.c.parts, type_=JSONB)
    size = func.sum(func.octet_length(cast(content, Text))).over(order_by=place)
    has_room = or_(size <= MAX_PAGE_BYTES, func.row_number().over(order_by=place) == 1)
    parts = case((has_room, content)).label("parts")
    others = [column for column in messages.c if column.name not in {"parts", "content", "media_tokens"}]
    query = (
        select(*others, parts, *answer)
        .join_from(messages, generations, wrote, isouter=True)
        .where(messages.c.org_id == org_id, messages.c.conversation_id == conversation_id, ~messages.c.running)
    )
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(literal(after.time), literal(after.id)))
    return query.order_by(*place).limit(limit)


def _message(row: Row[tuple[object, ...]]) -> Message:
    parts = tuple(msgspec.convert(row.parts, list[Part]))
    return Message(
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        parent_message_id=row.parent_message_id,
        org_id=row.org_id,
        member_id=row.member_id,
        role=Role(row.role),
        parts=parts,
        state=MessageState(row.state),
        created_at=row.created_at,
        answer=_answer(row, parts) if row.generation_id else None,
    )


def _answer(row: Row[tuple[object, ...]], parts: tuple[Part, ...]) -> Answer:
    counts = {name: row._mapping[column] for name, column in TOKEN_COLUMNS.items()}
    usage = Usage(**counts, estimated=row.usage_estimated)
    cost = NanoUsd(row.cost_nano_usd)
    return Answer(row.generation_id, row.model, parts, GenerationState(row.state), _stop_reason(row), usage, cost)


def _stop_reason(row: Row[tuple[object, ...]]) -> StopReason | None:
    if row.calls_tools:
        return StopReason.TOOL_USE
    return StopReason(row.stop_reason) if row.stop_reason else None
