"""The outbox, as stored: a message is put in by the transaction that it tells of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.jobs.storage.tables import outbox as table
from aichat_server.outbox.domain import MessageKind, OutboxMessage


class OutboxRepository:
    """One organisation's messages that are still to be handed over."""

    def __init__(self, connection: AsyncConnection, org_id: UUID) -> None:
        self._connection = connection
        self._org_id = org_id

    async def add(self, kind: MessageKind, message_id: UUID) -> None:
        """Puts a message in, due at once; one that is there stays as it is."""
        row = {"org_id": self._org_id, "message_id": message_id, "kind": kind.value, "due_at": func.now()}
        await self._connection.execute(insert(table).values(row).on_conflict_do_nothing())

    async def postpone(self, message_id: UUID, until: datetime) -> None:
        """It was tried in vain, and is due again then."""
        change = update(table).where(table.c.org_id == self._org_id, table.c.message_id == message_id)
        await self._connection.execute(change.values(due_at=until, attempts=table.c.attempts + 1))

    async def remove(self, message_id: UUID) -> None:
        """There is nothing to do about it any more."""
        gone = (table.c.org_id == self._org_id) & (table.c.message_id == message_id)
        await self._connection.execute(delete(table).where(gone))


async def due_messages(
    connection: AsyncConnection, now: datetime, limit: int, kinds: Collection[MessageKind]
) -> Sequence[OutboxMessage]:
    """At most `limit` due messages of any organisation, the longest due first, in a work list's transaction."""
    query = select(*table.c["org_id", "message_id", "kind", "attempts"])
    query = query.where(table.c.due_at <= now, table.c.kind.in_([kind.value for kind in kinds]))
    rows = await connection.execute(query.order_by(table.c.due_at, table.c.message_id).limit(limit))
    return [OutboxMessage(row.org_id, row.message_id, MessageKind(row.kind), row.attempts) for row in rows]
