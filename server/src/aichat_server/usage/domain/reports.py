"""Reports of usage, as sums or by event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.usage import Usage
from aichat_server.usage.domain.periods import Bucket

MOST_ROWS = 10_000
"""The most rows in a report."""


class Dimension(StrEnum):
    """What usage can be grouped by."""

    MODEL = "model"
    PROVIDER = "provider"
    MEMBER = "member_id"
    KEY = "key_id"
    CONVERSATION = "conversation_id"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """The subject of a report: the turns from `start` on and before `end`."""

    start: datetime
    end: datetime
    bucket: Bucket | None = None
    """How to divide the range; None: not at all."""
    time_zone: str = ""
    """The IANA name of the days' time zone; empty: the organisation's."""
    group_by: tuple[Dimension, ...] = ()
    latency: bool = False
    """Whether to compute percentiles."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles in milliseconds."""

    p50: int
    p90: int
    p99: int


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Sums over turns."""

    turns: int
    """In whatever way they ended."""
    errors: Mapping[str, int]
    """The number of turns that did not complete, by reason."""
    estimated_turns: int
    usage: Usage
    cost: NanoUsd
    first_delta: Percentiles | None = None
    """Of the turns that completed, like `duration`; None if there are none, or they were not requested."""
    duration: Percentiles | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The usage of one time bucket and one group."""

    start: datetime
    end: datetime
    group: tuple[str, ...]
    """A value for each of the query's dimensions, in order; empty for no key and no conversation."""
    totals: UsageTotals


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage. A time bucket without usage has no row."""

    rows: tuple[UsageRow, ...]
    total: UsageTotals
    """Of the whole range."""
    time_zone: str


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """What one turn used, as in the ledger."""

    generation_id: UUID
    conversation_id: UUID | None
    """None for an answer outside of conversations."""
    member_id: UUID
    key_id: UUID | None
    provider: str
    model: str
    usage: Usage
    cost: NanoUsd
    price_version: datetime
    error_reason: str | None
    """The reason of its failure; None if it completed."""
    first_delta_ms: int | None
    """None if no piece of an answer arrived."""
    duration_ms: int
    occurred_at: datetime
