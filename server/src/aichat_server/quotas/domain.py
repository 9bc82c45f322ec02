"""Limits of what an organisation, a member or an API key may spend in a month or a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from aichat_server.core.money import NanoUsd

_MICROSECOND = timedelta(microseconds=1)


class QuotaScope(StrEnum):
    """Whose spending a quota counts."""

    ORGANIZATION = "organization"
    MEMBER = "member"
    KEY = "key"


class QuotaPeriod(StrEnum):
    """The period of a quota: a calendar month or day in UTC, its end exclusive."""

    MONTH = "month"
    DAY = "day"


class QuotaCap(StrEnum):
    """What limits spending without a quota."""

    OVERAGE = "overage"
    """On what an organisation may owe for usage above what its plan includes."""
    FREE_PLAN = "free_plan"
    """On what all organisations on Free may use together."""


@dataclass(frozen=True, slots=True)
class QuotaName:
    """Identifies one of an organisation's quotas; each name has at most one."""

    scope: QuotaScope
    id: UUID
    """The organisation's, the member's or the key's."""
    period: QuotaPeriod


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota and its current use."""

    name: QuotaName
    hard: NanoUsd | None
    """A turn that could raise spending above this is refused; None: no turn is."""
    soft: NanoUsd | None
    """Spending above this is reported, not refused."""
    charged: NanoUsd
    """Spent in the current period."""
    held: NanoUsd
    """The most that running turns may cost."""
    starts_at: datetime
    """When the current period began."""
    resets_at: datetime
    """When the next period begins."""
    now: datetime
    """The moment of these values."""

    @property
    def remaining(self) -> NanoUsd | None:
        """The most that the next turn may cost; None: no limit."""
        return None if self.hard is None else NanoUsd(max(0, self.hard - self.charged - self.held))

    @property
    def forecast(self) -> NanoUsd:
        """The spending expected at the period's end, if it continues at the average since the period began."""
        whole = (self.resets_at - self.starts_at) // _MICROSECOND
        # The first minutes of a period say little about the rest of it.
        past = max((self.now - self.starts_at) // _MICROSECOND, whole // 24)
        return NanoUsd(self.charged * whole // past)


@dataclass(frozen=True, slots=True)
class QuotaRefusal:
    """Why a turn was refused: a quota of the operator or the plan, or a cap."""

    scope: QuotaScope
    scope_id: UUID
    period: QuotaPeriod
    limit: NanoUsd
    used: NanoUsd
    """Charged in the period, or held for running turns."""
    needed: NanoUsd
    """The most that the turn could have cost."""
    resets_at: datetime
    cap: QuotaCap | None = None
