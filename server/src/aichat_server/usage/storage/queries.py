"""The SQL of usage reports: from hourly sums if these are complete and exact, otherwise from the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, DateTime, TextClause, bindparam, text

from aichat_server.models.domain.usage import TOKEN_COLUMNS
from aichat_server.usage.domain.reports import Dimension

_TIME = DateTime(timezone=True)

SUMS = ("turns", "estimated_turns", *TOKEN_COLUMNS.values(), "cost_nano_usd")

_HOURLY_DIMENSIONS = tuple(dimension.value for dimension in Dimension if dimension is not Dimension.CONVERSATION)
_LEDGER_TIMES = ", ".join(
    f"array_remove(ARRAY[u.{name}], NULL) AS {name}" for name in ("first_delta_ms", "duration_ms")
)
# An hour that has new turns since its sum, and one in which a piece of the range ends, is read from the ledger. All of
# it is one statement: an hour that is not in the list of open hours has its sums in the same snapshot.
_HOURLY = """
    WITH fresh AS (
        SELECT o.hour FROM aichat.open_hours AS o
        WHERE o.org_id = :org_id AND o.hour > :start - interval '1 hour' AND o.hour < :end
        UNION
        SELECT unnest(:cut_hours)
    ), source AS (
        SELECT h.hour AS occurred_at, h.error_reason, {dimensions}, {sums}, h.first_delta_ms, h.duration_ms
        FROM aichat.usage_hourly AS h
        WHERE h.org_id = :org_id AND h.hour >= :start AND h.hour < :end
          AND NOT EXISTS (SELECT FROM fresh WHERE fresh.hour = h.hour)
        UNION ALL
        SELECT u.occurred_at, u.error_reason, {dimensions}, {sums}, {times}
        FROM fresh CROSS JOIN LATERAL aichat.usage_between(
            :org_id, greatest(fresh.hour, :start), least(fresh.hour + interval '1 hour', :end)
        ) AS u
    )
"""
# Hourly sums have no dimension for conversations.
_LEDGER = """
    WITH source AS (
        SELECT u.occurred_at, u.error_reason, {dimensions}, conversation_id, {sums}, {times}
        FROM aichat.usage_between(:org_id, :start, :end) AS u
    )
"""
_TOTALS = """
    SELECT grouping(bucket) = 1 AS is_total, bucket{groups}, error_reason, {totals}
    FROM (SELECT width_bucket(occurred_at, :bounds) - 1 AS bucket, * FROM source) AS s
    GROUP BY GROUPING SETS ((bucket{groups}, error_reason), (error_reason))
    LIMIT :most
"""
_LATENCY = """
    SELECT
        grouping(bucket) = 1 AS is_total, bucket{groups}, measure,
        percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY ms) AS percentiles
    FROM (SELECT width_bucket(occurred_at, :bounds) - 1 AS bucket, * FROM source) AS s
    CROSS JOIN LATERAL (
        SELECT 'first_delta', unnest(s.first_delta_ms) UNION ALL SELECT 'duration', unnest(s.duration_ms)
    ) AS times (measure, ms)
    WHERE error_reason = ''
    GROUP BY GROUPING SETS ((bucket{groups}, measure), (measure))
"""


def totals_query(group_by: Sequence[Dimension]) -> TextClause:
    """Returns the SQL for sums by piece of the range, group and way to end, and for the whole range by way to end."""
    totals = ", ".join(f"sum({name})::bigint AS {name}" for name in SUMS)
    return _query(group_by, _TOTALS.format(groups=_groups(group_by), totals=totals))


def latency_query(group_by: Sequence[Dimension]) -> TextClause:
    """Returns the SQL for percentiles by piece of the range and group, and for the whole range."""
    return _query(group_by, _LATENCY.format(groups=_groups(group_by)))


def _query(group_by: Sequence[Dimension], summary: str) -> TextClause:
    by_conversation = Dimension.CONVERSATION in group_by
    source = _LEDGER if by_conversation else _HOURLY
    source = source.format(dimensions=", ".join(_HOURLY_DIMENSIONS), sums=", ".join(SUMS), times=_LEDGER_TIMES)
    times = [bindparam(name, type_=_TIME) for name in ("start", "end")]
    lists = [bindparam(name, type_=ARRAY(_TIME)) for name in ("bounds", *(() if by_conversation else ("cut_hours",)))]
    return text(source + summary).bindparams(*times, *lists)


def _groups(group_by: Sequence[Dimension]) -> str:
    return "".join(f", {dimension.value}" for dimension in group_by)
