"""How much an organisation, a member or an API key may spend in a month or a day."""

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
    """What a quota is for: a calendar month or day in UTC, its first moment included and the next one's not."""

    MONTH = "month"
    DAY = "day"


class QuotaCap(StrEnum):
    """What bounds spending that nobody has set a quota for."""

    OVERAGE = "overage"
    """On what an organisation may owe beyond the usage that its plan includes."""
    FREE_PLAN = "free_plan"
    """On what all organisations on Free may use together."""


@dataclass(frozen=True, slots=True)
class QuotaName:
    """Which of an organisation's quotas; each of these has at most one."""

    scope: QuotaScope
    id: UUID
    """The organisation's, the member's or the key's."""
    period: QuotaPeriod


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota, and what is used of it."""

    name: QuotaName
    hard: NanoUsd | None
    """A turn that could bring the spending above this is refused; None: no turn is."""
    soft: NanoUsd | None
    """Spending above this refuses nothing, and is shown as such."""
    charged: NanoUsd
    """Spent in the current period."""
    held: NanoUsd
    """What the turns that are running may come to cost."""
    starts_at: datetime
    """When the current period began."""
    resets_at: datetime
    """When the next one begins."""
    now: datetime
    """When all this was so."""

    @property
    def remaining(self) -> NanoUsd | None:
        """What a next turn may come to cost; None: whatever it does."""
        return None if self.hard is None else NanoUsd(max(0, self.hard - self.charged - self.held))

    @property
    def forecast(self) -> NanoUsd:
        """What will be spent at the period's end, if it goes on as it did on average since the period began."""
        whole = (self.resets_at - self.starts_at) // _MICROSECOND
        # The first minutes of a period say little about the rest of it.
        past = max((self.now - self.starts_at) // _MICROSECOND, whole // 24)
        return NanoUsd(self.charged * whole // past)


@dataclass(frozen=True, slots=True)
class QuotaRefusal:
    """Why a turn was not begun: a quota that an operator or the plan has set, or a cap."""

    scope: QuotaScope
    scope_id: UUID
    period: QuotaPeriod
    limit: NanoUsd
    used: NanoUsd
    """Charged in the period, or held for turns that are running."""
    needed: NanoUsd
    """What the turn could have come to cost."""
    resets_at: datetime
    cap: QuotaCap | None = None
