"""Converts usage from the domain to the contract."""

from __future__ import annotations

from collections.abc import Sequence

from aichat.v1 import quotas_pb2
from aichat.v1 import usage_pb2 as pb
from google.type.money_pb2 import Money

from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import Quota, QuotaPeriod, QuotaScope
from aichat_server.transport.values import money_to_proto, timestamp, usage_to_proto
from aichat_server.usage.domain.reports import Dimension, Percentiles, UsageEvent, UsageRow, UsageTotals

_SCOPES = {
    QuotaScope.ORGANIZATION: quotas_pb2.QUOTA_SCOPE_ORGANIZATION,
    QuotaScope.MEMBER: quotas_pb2.QUOTA_SCOPE_MEMBER,
    QuotaScope.KEY: quotas_pb2.QUOTA_SCOPE_KEY,
}
_PERIODS = {QuotaPeriod.MONTH: quotas_pb2.QUOTA_PERIOD_MONTH, QuotaPeriod.DAY: quotas_pb2.QUOTA_PERIOD_DAY}


def row_to_proto(row: UsageRow, group_by: Sequence[Dimension]) -> pb.UsageRow:
    """Converts a row of a report, whose query had these dimensions."""
    proto = pb.UsageRow(
        start_time=timestamp(row.start), end_time=timestamp(row.end), totals=totals_to_proto(row.totals)
    )
    for dimension, value in zip(group_by, row.group, strict=True):
        # A dimension has the same name as its field.
        setattr(proto, dimension.value, value)
    return proto


def totals_to_proto(totals: UsageTotals) -> pb.UsageTotals:
    """Converts sums."""
    errors = sorted(totals.errors.items(), key=lambda error: (-error[1], error[0]))
    return pb.UsageTotals(
        turns=totals.turns,
        errors=sum(count for _, count in errors),
        errors_by_reason=[pb.UsageError(reason=reason, count=count) for reason, count in errors],
        estimated_turns=totals.estimated_turns,
        usage=usage_to_proto(totals.usage),
        cost=money_to_proto(totals.cost),
        first_delta=_percentiles(totals.first_delta),
        duration=_percentiles(totals.duration),
    )


def event_to_proto(event: UsageEvent) -> pb.UsageEvent:
    """Converts an event of the ledger."""
    return pb.UsageEvent(
        generation_id=str(event.generation_id),
        conversation_id=str(event.conversation_id or ""),
        member_id=str(event.member_id),
        key_id=str(event.key_id or ""),
        provider=event.provider,
        model=event.model,
        usage=usage_to_proto(event.usage),
        cost=money_to_proto(event.cost),
        price_time=timestamp(event.price_version),
        error_reason=event.error_reason or "",
        first_delta_ms=event.first_delta_ms,
        duration_ms=event.duration_ms,
        occur_time=timestamp(event.occurred_at),
    )


def quota_to_proto(quota: Quota) -> quotas_pb2.QuotaState:
    """Converts a quota and its current use."""
    return quotas_pb2.QuotaState(
        scope=_SCOPES[quota.name.scope],
        scope_id=str(quota.name.id),
        period=_PERIODS[quota.name.period],
        hard_limit=_optional(quota.hard),
        soft_limit=_optional(quota.soft),
        used=money_to_proto(quota.charged),
        held=money_to_proto(quota.held),
        remaining=_optional(quota.remaining),
        start_time=timestamp(quota.starts_at),
        reset_time=timestamp(quota.resets_at),
        forecast=money_to_proto(quota.forecast),
    )


def _optional(amount: NanoUsd | None) -> Money | None:
    return None if amount is None else money_to_proto(amount)


def _percentiles(percentiles: Percentiles | None) -> pb.LatencyPercentiles | None:
    if percentiles is None:
        return None
    return pb.LatencyPercentiles(p50_ms=percentiles.p50, p90_ms=percentiles.p90, p99_ms=percentiles.p99)
