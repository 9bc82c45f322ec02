"""Reads an organisation's usage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Row, RowMapping, literal, select, tuple_

from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.core.pages import Page, PageKey
from aichat_server.models.domain.usage import TOKEN_COLUMNS, Usage
from aichat_server.usage.domain.periods import cut_hours
from aichat_server.usage.domain.reports import MOST_ROWS, Dimension, Percentiles, UsageEvent, UsageTotals
from aichat_server.usage.storage.queries import latency_query, totals_query
from aichat_server.usage.storage.tables import usage_events as table

_NO_KEY = UUID(int=0)
_NO_TOTALS = UsageTotals(turns=0, errors={}, estimated_turns=0, usage=Usage(), cost=NanoUsd(0))


class Group(NamedTuple):
    """A key of a report's rows: the number of the piece of the range, and the values of the group."""

    piece: int
    values: tuple[str, ...]


class UsageRepository(Repository):
    """One organisation's usage."""

    async def totals(
        self, bounds: Sequence[datetime], group_by: Sequence[Dimension], *, latency: bool
    ) -> dict[Group | None, UsageTotals] | None:
        """Returns sums by piece of the range, which `bounds` divide, and group; None stands for the whole range.

        Returns None if there are more than MOST_ROWS.
        """
        range_: dict[str, object] = {
            "org_id": self._org_id,
            "start": bounds[0],
            "end": bounds[-1],
            "bounds": list(bounds),
        }
        if Dimension.CONVERSATION not in group_by:
            range_["cut_hours"] = list(cut_hours(tuple(bounds)))
        # Latency first: the sums then include at least the turns that it covers.
        times = (await self._connection.execute(latency_query(group_by), range_)).mappings().all() if latency else ()
        sums = totals_query(group_by)
        rows = (await self._connection.execute(sums, {**range_, "most": MOST_ROWS + 1})).mappings().all()
        if len(rows) > MOST_ROWS:
            return None
        found = _totals(rows, group_by)
        for row in times:
            group, percentiles = _group(row, group_by), Percentiles(*row["percentiles"])
            if row["measure"] == "first_delta":
                found[group] = replace(found[group], first_delta=percentiles)
            else:
                found[group] = replace(found[group], duration=percentiles)
        return found

    async def events(self, start: datetime, end: datetime, limit: int, after: PageKey | None) -> Page[UsageEvent]:
        """Returns at most `limit` events of the range, the oldest first, after the key `after`."""
        place = tuple_(table.c.occurred_at, table.c.generation_id)
        query = select(table).where(
            table.c.org_id == self._org_id, table.c.occurred_at >= start, table.c.occurred_at < end
        )
        if after is not None:
            query = query.where(place > tuple_(literal(after.time), literal(after.id)))
        query = query.order_by(table.c.occurred_at, table.c.generation_id).limit(limit + 1)
        rows = (await self._connection.execute(query)).all()
        items = tuple(_event(row) for row in rows[:limit])
        last = items[-1] if len(rows) > limit else None
        return Page(items, PageKey(last.occurred_at, last.generation_id) if last else None)


def _totals(rows: Iterable[RowMapping], group_by: Sequence[Dimension]) -> dict[Group | None, UsageTotals]:
    """Adds up the rows that differ only in how turns ended."""
    found: dict[Group | None, UsageTotals] = {None: _NO_TOTALS}
    for row in rows:
        group = _group(row, group_by)
        found[group] = _add(found.get(group, _NO_TOTALS), row)
    return found


def _group(row: RowMapping, group_by: Sequence[Dimension]) -> Group | None:
    if row["is_total"]:
        return None
    values = (row[dimension.value] for dimension in group_by)
    return Group(row["bucket"], tuple("" if value in (_NO_KEY, None) else str(value) for value in values))


def _add(sums: UsageTotals, row: RowMapping) -> UsageTotals:
    estimated = sums.estimated_turns + row["estimated_turns"]
    tokens = {field: getattr(sums.usage, field) + row[column] for field, column in TOKEN_COLUMNS.items()}
    return UsageTotals(
        turns=sums.turns + row["turns"],
        errors={**sums.errors, row["error_reason"]: row["turns"]} if row["error_reason"] else sums.errors,
        estimated_turns=estimated,
        usage=Usage(**tokens, estimated=estimated > 0),
        cost=NanoUsd(sums.cost + row["cost_nano_usd"]),
    )


def _event(row: Row[tuple[object, ...]]) -> UsageEvent:
    tokens = {field: row._mapping[column] for field, column in TOKEN_COLUMNS.items()}
    return UsageEvent(
        generation_id=row.generation_id,
        conversation_id=row.conversation_id,
        member_id=row.member_id,
        key_id=row.key_id,
        provider=row.provider,
        model=row.model,
        usage=Usage(**tokens, estimated=row.quality == "estimated"),
        cost=NanoUsd(row.cost_nano_usd),
        price_version=row.price_version,
        error_reason=row.error_reason,
        first_delta_ms=row.first_delta_ms,
        duration_ms=row.duration_ms,
        occurred_at=row.occurred_at,
    )
