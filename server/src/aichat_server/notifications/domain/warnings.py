"""When a quota's owner is warned: once for each threshold that is reached in a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import QuotaName

THRESHOLDS = (50, 80, 100)
"""Percent of a quota, ascending."""

# Never to be changed: every warning's id derives from it.
_WARNINGS = UUID("0b6f3a54-5d1e-4c0f-9a55-2f8f6a6f7c21")


class WarningState(StrEnum):
    """What has become of a warning."""

    PENDING = "pending"
    SENT = "sent"
    COVERED = "covered"
    """A higher threshold was reached before it was sent, and that one's warning tells more."""
    NO_ADDRESS = "no_address"
    UNSUBSCRIBED = "unsubscribed"
    REFUSED = "refused"
    """The mail server will not have it, and would not if asked again."""


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of a quota is used in one of its periods."""

    name: QuotaName
    period_start: datetime
    period_end: datetime
    """The first moment that is not in it."""
    limit: NanoUsd
    """The hard limit, or the soft one of a quota that has no other."""
    refuses: bool
    """Whether that is a hard limit."""
    used: NanoUsd

    @property
    def percent(self) -> int:
        """How much is used, in whole percent that are full."""
        return self.used * 100 // self.limit

    def thresholds(self) -> tuple[int, ...]:
        """Those that are reached, ascending."""
        return tuple(threshold for threshold in THRESHOLDS if self.used * 100 >= self.limit * threshold)


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """One member's warning of one threshold."""

    org_id: UUID
    member_id: UUID
    """Who is warned."""
    threshold: int
    use: QuotaUse
    """As it was when the warning fell due."""

    @property
    def id(self) -> UUID:
        """The same whenever, and by whomever, the warning is found to be due."""
        name = self.use.name
        of_period = f"{name.period.value} {self.use.period_start.isoformat()}"
        return uuid5(
            _WARNINGS, f"{self.org_id} {name.scope.value} {name.id} {of_period} {self.threshold} {self.member_id}"
        )


@dataclass(frozen=True, slots=True)
class ClaimedWarning:
    """A warning that is this process's to send, and to whom."""

    warning: QuotaWarning
    organization: str
    """The organisation's name."""
    address: str | None
    """The member's, or else the organisation's contact; None: there is neither."""
    wanted: bool
    """False if the member has unsubscribed."""
