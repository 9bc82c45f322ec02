"""Stores invoices and their lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

from sqlalchemy import DateTime, Row, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month, month_of
from aichat_server.invoices.domain.invoices import (
    EventRange,
    Invoice,
    InvoiceStage,
    Line,
    LineKind,
    Statement,
    Subject,
    UsageTerms,
)
from aichat_server.invoices.storage.tables import invoice_lines
from aichat_server.invoices.storage.tables import invoices as table
from aichat_server.models.domain.usage import TOKEN_COLUMNS, Usage

_Row: TypeAlias = "Row[tuple[object, ...]]"
_CLOSE = text("SELECT aichat.close_books(:org_id, :until)").bindparams(
    bindparam("until", type_=DateTime(timezone=True))
)


class InvoiceRepository(Repository):
    """One organisation's invoices."""

    async def close(self, month: Month) -> bool:
        """Closes the month's books and creates its invoice, unless it exists.

        Returns False while the month is not over.
        """
        closed = await self._connection.execute(_CLOSE, {"org_id": self._org_id, "until": month.end})
        if not closed.scalar_one():
            return False
        row = {"org_id": self._org_id, "period_start": month.start, "period_end": month.end}
        await self._connection.execute(insert(table).values(row).on_conflict_do_nothing())
        return True

    async def find(self, month: Month, *, lock: bool = False) -> Invoice | None:
        """Returns the month's invoice; None if it does not exist. `lock`: locks it until the transaction ends."""
        query = select(table).where(table.c.org_id == self._org_id, table.c.period_start == month.start)
        row = (await self._connection.execute(query.with_for_update() if lock else query)).one_or_none()
        return _invoice(row) if row else None

    async def lines(self, month: Month) -> tuple[Line, ...]:
        """Returns its lines, in order; none until it is drafted."""
        query = select(invoice_lines).where(
            invoice_lines.c.org_id == self._org_id, invoice_lines.c.period_start == month.start
        )
        rows = await self._connection.execute(query.order_by(invoice_lines.c.line))
        return tuple(_line(row) for row in rows)

    async def draft(self, month: Month, statement: Statement, stage: InvoiceStage, *, customer_id: str | None) -> None:
        """Stores the lines of an invoice at the stage "closed", and advances it to `stage`."""
        for line in statement.lines:
            await self._connection.execute(insert(invoice_lines).values(self._values(month, line)))
        await self.move(
            month,
            {InvoiceStage.CLOSED},
            stage,
            digest=statement.digest,
            cost_nano_usd=statement.cost,
            total_cents=statement.total,
            customer_id=customer_id,
        )

    async def restart(self, month: Month) -> None:
        """Deletes the lines of an invoice before it is final, and returns it to the stage "closed"."""
        where = (invoice_lines.c.org_id == self._org_id, invoice_lines.c.period_start == month.start)
        await self._connection.execute(delete(invoice_lines).where(*where))
        await self.move(
            month,
            set(InvoiceStage),
            InvoiceStage.CLOSED,
            attempt=table.c.attempt + 1,
            digest=None,
            cost_nano_usd=None,
            total_cents=None,
            stripe_invoice_id=None,
            blocked_because=None,
        )

    async def move(self, month: Month, stages: Collection[InvoiceStage], to: InvoiceStage, **values: object) -> bool:
        """Moves the invoice to another stage; returns False, and changes nothing, if it is at none of `stages`."""
        change = update(table).where(
            table.c.org_id == self._org_id,
            table.c.period_start == month.start,
            table.c.state.in_([stage.value for stage in stages]),
        )
        change = change.values(state=to.value, updated_at=func.clock_timestamp(), **values)
        return (await self._connection.execute(change)).rowcount > 0

    def _values(self, month: Month, line: Line) -> dict[str, object]:
        values: dict[str, object] = {
            "org_id": self._org_id,
            "period_start": month.start,
            "line": line.number,
            "kind": line.kind.value,
            "cost_nano_usd": line.cost,
            "included_nano_usd": line.included,
            "amount_cents": line.cents,
            "description": line.description,
            "provider": line.subject.provider,
            "model": line.subject.model,
            "price_version": line.subject.price_version,
            "member_id": line.subject.member_id,
            "estimated": line.usage.estimated,
            "events": line.events.count if line.events else 0,
            "hash": line.hash,
            "adjustment_id": line.adjustment_id,
        }
        values |= {column: getattr(line.usage, field) for field, column in TOKEN_COLUMNS.items()}
        if line.terms is not None:
            values |= {
                "plan": line.terms.plan,
                "plan_version": line.terms.version,
                "overage_basis_points": line.terms.overage,
            }
        if line.events is not None:
            values |= {
                "first_at": line.events.first_at,
                "first_generation_id": line.events.first_id,
                "last_at": line.events.last_at,
                "last_generation_id": line.events.last_id,
            }
        return values


def _invoice(row: _Row) -> Invoice:
    return Invoice(
        org_id=row.org_id,
        month=month_of(row.period_start),
        stage=InvoiceStage(row.state),
        attempt=row.attempt,
        digest=row.digest,
        cost=row.cost_nano_usd,
        total=row.total_cents,
        customer_id=row.customer_id,
        stripe_id=row.stripe_invoice_id,
        number=row.number,
        blocked_because=row.blocked_because,
    )


def _line(row: _Row) -> Line:
    tokens = {field: row._mapping[column] for field, column in TOKEN_COLUMNS.items()}
    events = None
    if row.kind == LineKind.USAGE:
        events = EventRange(row.events, row.first_at, row.first_generation_id, row.last_at, row.last_generation_id)
    return Line(
        number=row.line,
        kind=LineKind(row.kind),
        cost=NanoUsd(row.cost_nano_usd),
        included=NanoUsd(row.included_nano_usd),
        cents=row.amount_cents,
        description=row.description,
        hash=row.hash,
        terms=UsageTerms(row.plan, row.plan_version, row.overage_basis_points) if row.plan else None,
        subject=Subject(row.provider, row.model, row.price_version, row.member_id),
        usage=Usage(**tokens, estimated=row.estimated),
        events=events,
        adjustment_id=row.adjustment_id,
    )
