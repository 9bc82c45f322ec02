"""Decides when to warn a quota's owner: once for each threshold that is reached in a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from aichat_server.core.money import NanoUsd
from aichat_server.outbox.domain import MessageKind
from aichat_server.quotas.domain import QuotaName

THRESHOLDS = (50, 80, 100)
"""Percent of a quota, ascending."""

# Never change it: every warning's id derives from it.
_WARNINGS = UUID("0b6f3a54-5d1e-4c0f-9a55-2f8f6a6f7c21")

QUOTA_WARNING = MessageKind("quota_warning")
"""An e-mail in the outbox."""


class WarningState(StrEnum):
    """The state of a warning."""

    PENDING = "pending"
    SENT = "sent"
    COVERED = "covered"
    """A higher threshold was reached before it was sent, and that warning says more."""
    NO_ADDRESS = "no_address"
    UNSUBSCRIBED = "unsubscribed"
    REFUSED = "refused"
    """The mail server refused it for good."""


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """The use of a quota in one of its periods."""

    name: QuotaName
    period_start: datetime
    period_end: datetime
    """The period's end, exclusive."""
    limit: NanoUsd
    """The hard limit, or the soft limit of a quota without a hard one."""
    refuses: bool
    """Whether `limit` is the hard limit."""
    used: NanoUsd

    @property
    def percent(self) -> int:
        """The used part, in whole percent, rounded down."""
        return self.used * 100 // self.limit

    def thresholds(self) -> tuple[int, ...]:
        """The thresholds that are reached, ascending."""
        return tuple(threshold for threshold in THRESHOLDS if self.used * 100 >= self.limit * threshold)


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """A warning of one threshold to one member."""

    org_id: UUID
    member_id: UUID
    """The member to warn."""
    threshold: int
    use: QuotaUse
    """The use when the warning became due."""

    @property
    def id(self) -> UUID:
        """The same id whenever, and by whichever process, the warning is found due."""
        name = self.use.name
        of_period = f"{name.period.value} {self.use.period_start.isoformat()}"
        return uuid5(
            _WARNINGS, f"{self.org_id} {name.scope.value} {name.id} {of_period} {self.threshold} {self.member_id}"
        )


@dataclass(frozen=True, slots=True)
class ClaimedWarning:
    """A warning that this process has claimed, and its recipient."""

    warning: QuotaWarning
    organization: str
    """The organisation's name."""
    address: str | None
    """The member's address, or the organisation's contact; None without either."""
    wanted: bool
    """False if the member has unsubscribed."""
