"""Limits of what an organisation, a member or an API key may spend in a month or a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd, to_decimal

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


class PlatformLimit(StrEnum):
    """Identifies a limit of the platform."""

    OVERAGE = "overage"
    """What an organisation may owe for usage above what is included, if its plan does not say."""
    FREE_PLAN = "free_plan"
    """What all organisations on Free may use together in a calendar month in UTC."""


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


_FEWER = "ask for fewer max_output_tokens, or wait for running answers to end"
_ADVICE: Mapping[QuotaCap | None, str] = MappingProxyType(
    {
        None: _FEWER,
        QuotaCap.OVERAGE: f"have an unpaid invoice paid, if there is one, or {_FEWER}",
        QuotaCap.FREE_PLAN: "subscribe to a plan",
    }
)


def over_quota(refusal: QuotaRefusal) -> AichatError:
    """Returns the error for a turn that could exceed a hard quota or a cap."""
    remaining = NanoUsd(max(0, refusal.limit - refusal.used))
    limit, used, left, needed = (_dollars(m) for m in (refusal.limit, refusal.used, remaining, refusal.needed))
    reset_time = refusal.resets_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    free = refusal.cap is QuotaCap.FREE_PLAN
    whose = "all of Free" if free else f"this {refusal.scope}"
    message = (
        f"of {whose}'s {limit} USD for the {refusal.period} {left} USD are left, and the answer may cost {needed} USD: "
        f"{_ADVICE[refusal.cap]}, or wait until {reset_time}"
    )
    metadata = {
        "period": refusal.period.value,
        "limit": limit,
        "used": used,
        "remaining": left,
        "reset_time": reset_time,
    }
    if refusal.cap is not None:
        metadata["cap"] = refusal.cap.value
    if free:
        return AichatError(Reason.FREE_PLAN_EXHAUSTED, message, metadata=metadata, quota_subject="plan:free")
    metadata["scope"] = refusal.scope.value
    subject = f"{refusal.scope}:{refusal.scope_id}"
    return AichatError(Reason.QUOTA_EXCEEDED, message, metadata=metadata, quota_subject=subject)


def quota_check_failed() -> AichatError:
    """Returns the error for a turn whose quotas could not be checked, if the server refuses it then."""
    message = "the quotas cannot be checked now; send the call again shortly"
    return AichatError(Reason.QUOTA_CHECK_FAILED, message, retry_after=1.0)


def _dollars(nano: NanoUsd) -> str:
    return f"{to_decimal(nano):f}"
