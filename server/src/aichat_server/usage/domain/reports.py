"""What was used, summed up or event by event."""

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
"""The most rows that a report has."""


class Dimension(StrEnum):
    """What usage can be told apart by."""

    MODEL = "model"
    PROVIDER = "provider"
    MEMBER = "member_id"
    KEY = "key_id"
    CONVERSATION = "conversation_id"


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What a report is to be about: the turns from `start` on and before `end`."""

    start: datetime
    end: datetime
    bucket: Bucket | None = None
    """How the range is cut; None: not at all."""
    time_zone: str = ""
    """The IANA name of the zone whose days are meant; empty: the organisation's."""
    group_by: tuple[Dimension, ...] = ()
    latency: bool = False
    """Whether percentiles are worked out."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds that so many of all turns stayed within."""

    p50: int
    p90: int
    p99: int


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Sums over turns."""

    turns: int
    """However they ended."""
    errors: Mapping[str, int]
    """How many did not complete, by what they failed with."""
    estimated_turns: int
    usage: Usage
    cost: NanoUsd
    first_delta: Percentiles | None = None
    """Of the turns that completed, as `duration`; None if there are none, or nobody asked."""
    duration: Percentiles | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was used in one piece of time by one of those that are told apart."""

    start: datetime
    end: datetime
    group: tuple[str, ...]
    """A value for each of the query's dimensions, in their order; empty for no key."""
    totals: UsageTotals


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was used. A piece of time in which nothing was has no row."""

    rows: tuple[UsageRow, ...]
    total: UsageTotals
    """Of the whole range."""
    time_zone: str


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """What one turn used, as it is on the books."""

    generation_id: UUID
    conversation_id: UUID
    member_id: UUID
    key_id: UUID | None
    provider: str
    model: str
    usage: Usage
    cost: NanoUsd
    price_version: datetime
    error_reason: str | None
    """What it failed with; None where it completed."""
    first_delta_ms: int | None
    """None where no piece of an answer came."""
    duration_ms: int
    occurred_at: datetime
