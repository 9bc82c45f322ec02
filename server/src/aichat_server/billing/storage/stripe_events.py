"""Stores Stripe's events: each once, and claimed by one worker at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.billing.storage.tables import stripe_events as table
from aichat_server.core.database.session import PlatformRepository
from aichat_server.payments.domain.billing import BillingEvent
from aichat_server.payments.domain.webhooks import ClaimedEvent, ParkedEvent


class StripeEventRepository(PlatformRepository):
    """The events of every organisation, in a transaction of the work list."""

    async def add(self, event: BillingEvent) -> bool:
        """Stores an event that is due at once; returns False if it is stored already."""
        row = {"event_id": event.id, "type": event.type, "object_id": event.object_id}
        change = insert(table).values(**row, received_at=func.now(), due_at=func.now()).on_conflict_do_nothing()
        return (await self._connection.execute(change)).rowcount > 0

    async def claim(self, now: datetime, until: datetime) -> ClaimedEvent | None:
        """Claims until `until` the event that has been due the longest; returns None if none is due."""
        due = select(table.c.event_id).where(table.c.due_at <= now).order_by(table.c.due_at, table.c.event_id).limit(1)
        change = update(table).where(table.c.event_id == due.with_for_update(skip_locked=True).scalar_subquery())
        change = change.values(due_at=until, attempts=table.c.attempts + 1)
        columns = table.c["event_id", "type", "object_id", "attempts"]
        row = (await self._connection.execute(change.returning(*columns))).one_or_none()
        return ClaimedEvent(*row) if row else None

    async def finish(self, event_id: str, now: datetime) -> None:
        """Records that it was processed."""
        await self._set(event_id, due_at=None, processed_at=now, failure=None)

    async def postpone(self, event_id: str, until: datetime, failure: str, attempts: int) -> None:
        """Records a failure and when to retry; `attempts`: how many of its attempts count."""
        await self._set(event_id, due_at=until, failure=failure, attempts=attempts)

    async def park(self, event_id: str, now: datetime, failure: str) -> None:
        """Gives it up after too many failures, for the operator."""
        await self._set(event_id, due_at=None, parked_at=now, failure=failure)

    async def list_parked(self) -> Sequence[ParkedEvent]:
        """Returns the events that were given up, the newest first."""
        query = select(*table.c["event_id", "type", "object_id", "parked_at", "failure"])
        query = query.where(table.c.parked_at.is_not(None)).order_by(table.c.parked_at.desc(), table.c.event_id)
        return [ParkedEvent(*row) for row in (await self._connection.execute(query)).all()]

    async def release(self, event_id: str) -> bool:
        """Retries an event that was given up, as if for the first time; returns False if there is no such event."""
        change = update(table).where(table.c.event_id == event_id, table.c.parked_at.is_not(None))
        values = {"due_at": func.now(), "parked_at": None, "attempts": 0}
        return (await self._connection.execute(change.values(values))).rowcount > 0

    async def purge(self, before: datetime) -> int:
        """Deletes events that were processed before then; returns their number."""
        return (await self._connection.execute(delete(table).where(table.c.processed_at < before))).rowcount

    async def _set(self, event_id: str, **values: object) -> None:
        # If this run took too long, another has finished the event, and it stays finished.
        change = update(table).where(table.c.event_id == event_id, table.c.due_at.is_not(None))
        await self._connection.execute(change.values(values))
