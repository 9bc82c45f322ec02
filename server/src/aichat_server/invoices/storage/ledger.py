"""Reads a month of the ledger for its invoice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, DateTime, Row, Uuid, bindparam, column, select, table, text

from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import Terms
from aichat_server.invoices.domain.statements import COUNTS, LedgerEvent, LineKey, finest_key
from aichat_server.models.domain.usage import TOKEN_COLUMNS, Usage

_AT_ONCE = 1000
_TIME = DateTime(timezone=True)
# The ledger, as far as invoices use it.
_events = table(
    "usage_events",
    column("org_id", Uuid),
    column("generation_id", Uuid),
    column("member_id", Uuid),
    column("provider"),
    column("model"),
    column("price_version", _TIME),
    *(column(name) for name in TOKEN_COLUMNS.values()),
    column("quality"),
    column("cost_nano_usd"),
    column("occurred_at", _TIME),
    schema="aichat",
)
_TOKENS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in TOKEN_COLUMNS.values())
_TERMS = text(
    """
    SELECT t.starts_at, t.ends_at, t.plan, t.valid_from, p.included_nano_usd, p.overage_basis_points
    FROM aichat.plan_terms(:org_id, :start, :end) AS t JOIN aichat.plans AS p USING (plan, valid_from)
    ORDER BY t.starts_at
    """
).bindparams(bindparam("start", type_=_TIME), bindparam("end", type_=_TIME))
# One event of each line represents all of it.
_SAMPLES = text(
    """
    SELECT DISTINCT ON (piece, provider, model, price_version, member_id) *
    FROM (
        SELECT width_bucket(e.occurred_at, :bounds) - 1 AS piece, e.* FROM aichat.usage_events AS e
        WHERE e.org_id = :org_id AND e.occurred_at >= :start AND e.occurred_at < :end
    ) AS e
    """
).bindparams(bindparam("start", type_=_TIME), bindparam("end", type_=_TIME), bindparam("bounds", type_=ARRAY(_TIME)))
_HOURLY = text(
    f"""
    SELECT
        coalesce(sum(cost_nano_usd), 0)::bigint AS cost, {_TOKENS},
        EXISTS (
            SELECT FROM aichat.open_hours AS h WHERE h.org_id = :org_id AND h.hour >= :start AND h.hour < :end
        ) AS is_open
    FROM aichat.usage_hourly WHERE org_id = :org_id AND hour >= :start AND hour < :end
    """  # noqa: S608 — our own columns
).bindparams(bindparam("start", type_=_TIME), bindparam("end", type_=_TIME))


class HourlySums(NamedTuple):
    """The hourly sums of a month."""

    cost: NanoUsd
    counts: tuple[int, ...]
    """In the order of COUNTS."""
    is_open: bool
    """Whether some of its hours are not summed yet."""


class LedgerRepository(Repository):
    """One organisation's ledger."""

    async def terms(self, month: Month) -> tuple[Terms, ...]:
        """Returns what the organisation's plans include and charge over the month, piece by piece without a gap."""
        rows = await self._connection.execute(_TERMS, self._range(month))
        return tuple(Terms(*row) for row in rows)

    async def line_keys(self, month: Month, terms: Sequence[Terms]) -> set[LineKey]:
        """Returns the finest keys of all events of the month."""
        bounds: list[datetime] = [piece.starts_at for piece in terms]
        rows = await self._connection.execute(_SAMPLES, {**self._range(month), "bounds": bounds})
        return {finest_key(row.piece, _event(row)) for row in rows}

    async def events(self, month: Month) -> AsyncGenerator[LedgerEvent, None]:
        """Yields all events of the month, ordered by time and generation."""
        query = select(_events).where(
            _events.c.org_id == self._org_id, _events.c.occurred_at >= month.start, _events.c.occurred_at < month.end
        )
        query = query.order_by(_events.c.occurred_at, _events.c.generation_id)
        async with self._connection.stream(query.execution_options(yield_per=_AT_ONCE)) as rows:
            async for row in rows:
                yield _event(row)

    async def hourly_sums(self, month: Month) -> HourlySums:
        """Returns the hourly sums of the month."""
        row = (await self._connection.execute(_HOURLY, self._range(month))).one()
        return HourlySums(row.cost, tuple(row._mapping[TOKEN_COLUMNS[name]] for name in COUNTS), row.is_open)

    def _range(self, month: Month) -> dict[str, object]:
        return {"org_id": self._org_id, "start": month.start, "end": month.end}


def _event(row: Row[tuple[object, ...]]) -> LedgerEvent:
    tokens = {field: row._mapping[column] for field, column in TOKEN_COLUMNS.items()}
    return LedgerEvent(
        occurred_at=row.occurred_at,
        generation_id=row.generation_id,
        member_id=row.member_id,
        provider=row.provider,
        model=row.model,
        price_version=row.price_version,
        usage=Usage(**tokens, estimated=row.quality == "estimated"),
        cost=NanoUsd(row.cost_nano_usd),
    )
