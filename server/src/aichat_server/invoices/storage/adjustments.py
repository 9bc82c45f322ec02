"""Stores credits, adjustments and refunds."""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Row, Select, exists, select
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month, month_of
from aichat_server.invoices.domain.invoices import Adjustment, AdjustmentKind
from aichat_server.invoices.storage.tables import adjustments as table
from aichat_server.invoices.storage.tables import invoice_lines as lines
from aichat_server.invoices.storage.tables import refunds

_Row: TypeAlias = "Row[tuple[object, ...]]"


_CARRIED_OUT = exists().where(refunds.c.org_id == table.c.org_id, refunds.c.adjustment_id == table.c.adjustment_id)
_UNPAID = (table.c.kind == AdjustmentKind.REFUND.value) & ~_CARRIED_OUT


class AdjustmentRepository(Repository):
    """One organisation's adjustments. Stored ones never change."""

    async def add(
        self,
        adjustment_id: UUID,
        kind: AdjustmentKind,
        amount: NanoUsd,
        *,
        reason: str,
        actor: str,
        month: Month | None = None,
    ) -> Adjustment:
        """Adds one, unless the id exists; returns the stored one."""
        values = {
            "adjustment_id": adjustment_id,
            "kind": kind.value,
            "amount_nano_usd": amount,
            "reason": reason,
            "actor": actor,
            "period_start": month.start if month else None,
        }
        await self._connection.execute(insert(table).values(org_id=self._org_id, **values).on_conflict_do_nothing())
        query = self._select().where(table.c.adjustment_id == adjustment_id)
        return _adjustment((await self._connection.execute(query)).one())

    async def waiting(self, limit: int) -> tuple[Adjustment, ...]:
        """Returns at most `limit` adjustments that wait for an invoice, the oldest first."""
        taken = exists().where(lines.c.org_id == table.c.org_id, lines.c.adjustment_id == table.c.adjustment_id)
        query = self._select().where(table.c.kind != AdjustmentKind.REFUND.value, ~taken).limit(limit)
        return tuple(_adjustment(row) for row in await self._connection.execute(query))

    async def unpaid_refunds(self, month: Month) -> tuple[Adjustment, ...]:
        """Returns the refunds of the month's invoice that are decided but not known to be paid out."""
        query = self._select().where(table.c.period_start == month.start, _UNPAID)
        return tuple(_adjustment(row) for row in await self._connection.execute(query))

    async def unpaid_refund(self, adjustment_id: UUID) -> Adjustment | None:
        """Returns such a refund; None if there is none with this id."""
        query = self._select().where(table.c.adjustment_id == adjustment_id, _UNPAID)
        row = (await self._connection.execute(query)).one_or_none()
        return _adjustment(row) if row else None

    async def mark_refunded(self, adjustment_id: UUID, refund_id: str) -> None:
        """Records that a refund was paid out."""
        values = {"org_id": self._org_id, "adjustment_id": adjustment_id, "refund_id": refund_id}
        await self._connection.execute(insert(refunds).values(values).on_conflict_do_nothing())

    def _select(self) -> Select[tuple[object, ...]]:
        query = select(table).where(table.c.org_id == self._org_id)
        return query.order_by(table.c.created_at, table.c.adjustment_id)


def _adjustment(row: _Row) -> Adjustment:
    return Adjustment(
        adjustment_id=row.adjustment_id,
        kind=AdjustmentKind(row.kind),
        amount=NanoUsd(row.amount_nano_usd),
        reason=row.reason,
        actor=row.actor,
        month=month_of(row.period_start) if row.period_start else None,
        created_at=row.created_at,
    )
