"""Stores the outbox: the transaction that a message is about adds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Integer, Table, Text, Uuid, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import PlatformSession, Repository
from aichat_server.core.database.tables import Time, metadata
from aichat_server.outbox.domain import MessageKind, OutboxMessage

_outbox = Table(
    "outbox",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("noted_at", Time, nullable=False),
)


class OutboxRepository(Repository):
    """One organisation's messages that are not delivered yet."""

    async def add(self, kind: MessageKind, message_id: UUID) -> None:
        """Adds a message, due at once; an existing one stays as it is."""
        row = {"org_id": self._org_id, "message_id": message_id, "kind": kind, "due_at": func.now()}
        await self._connection.execute(insert(_outbox).values(row).on_conflict_do_nothing())

    async def postpone(self, message_id: UUID, until: datetime) -> None:
        """Records a failed attempt and when to retry."""
        change = update(_outbox).where(_outbox.c.org_id == self._org_id, _outbox.c.message_id == message_id)
        await self._connection.execute(change.values(due_at=until, attempts=_outbox.c.attempts + 1))

    async def remove(self, message_id: UUID) -> None:
        """Removes a message that needs no delivery any more."""
        gone = (_outbox.c.org_id == self._org_id) & (_outbox.c.message_id == message_id)
        await self._connection.execute(delete(_outbox).where(gone))


async def due_messages(
    session: PlatformSession, now: datetime, limit: int, kinds: Collection[MessageKind]
) -> Sequence[OutboxMessage]:
    """Returns at most `limit` due messages of any organisation, the longest due first."""
    query = select(*_outbox.c["org_id", "message_id", "kind", "attempts"])
    query = query.where(_outbox.c.due_at <= now, _outbox.c.kind.in_(kinds))
    rows = await session.connection.execute(query.order_by(_outbox.c.due_at, _outbox.c.message_id).limit(limit))
    return [OutboxMessage(row.org_id, row.message_id, MessageKind(row.kind), row.attempts) for row in rows]
