"""Subscriptions, and the plans that they give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aichat_server.core.periods import Month
from aichat_server.outbox.domain import MessageKind
from aichat_server.payments.domain.billing import SubscriptionState, SubscriptionStatus
from aichat_server.plans.domain import Plan

_IN_FORCE = frozenset({SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE})
_PAST_DUE = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})
_NOT_BEGUN = frozenset({SubscriptionStatus.INCOMPLETE, SubscriptionStatus.INCOMPLETE_EXPIRED})
_ENDED = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})

UNPAID_INVOICE = MessageKind("unpaid_invoice")
"""An e-mail in the outbox."""


@dataclass(frozen=True, slots=True)
class BillingAccount:
    """An organisation's customer at the payment provider."""

    customer_id: str | None
    """None before the first checkout, and after the customer was deleted there."""
    customer_version: int
    """How many of its customers were deleted there."""
    seen_version: int
    """Incremented each time the state of its subscription is stored."""
    first_subscribed_at: datetime | None
    seen_card_id: str | None
    """The customer's default card when it was last read."""


@dataclass(frozen=True, slots=True)
class UnpaidInvoice:
    """An invoice for usage whose payment failed."""

    month: Month
    since: datetime
    """When the platform first learned of that."""
    total: int
    """In cents."""
    stripe_id: str


@dataclass(frozen=True, slots=True)
class UnpaidNotice:
    """A notice about an unpaid invoice to one of the organisation's owners."""

    id: UUID
    invoice: UnpaidInvoice
    organization: str
    """The organisation's name."""
    address: str | None
    """The owner's, or else the organisation's contact; None: there is neither."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as the payment provider reported it last."""

    subscription_id: str
    plan: Plan
    status: SubscriptionStatus
    seats: int
    period_start: datetime
    period_end: datetime
    """The period's end, exclusive."""
    cancel_at_period_end: bool
    trial_end: datetime | None
    past_due_since: datetime | None
    """When it was first seen to be past due; None while it is not."""

    @property
    def has_ended(self) -> bool:
        """Whether another subscription may replace it."""
        return self.status in _ENDED

    @property
    def has_begun(self) -> bool:
        """Whether it was ever on trial or paid, so that no later one counts as the first."""
        return self.status not in _NOT_BEGUN

    def grace_ends_at(self, grace: timedelta) -> datetime | None:
        """Returns when the grace period of a past-due subscription ends; None if it is not past due."""
        return self.past_due_since + grace if self.past_due_since is not None else None

    def plan_at(self, now: datetime, grace: timedelta, unpaid_since: datetime | None = None) -> Plan:
        """Returns the plan that it gives: its own while it is paid, on trial or in its grace period, otherwise Free.

        `unpaid_since`: since when an invoice for usage is unpaid, which has the same grace period.
        """
        if unpaid_since is not None and unpaid_since + grace <= now:
            return Plan.FREE
        if self.status in _IN_FORCE:
            return self.plan
        grace_end = self.grace_ends_at(grace)
        return self.plan if grace_end is not None and now < grace_end else Plan.FREE


def subscription_of(state: SubscriptionState, plan: Plan, before: Subscription | None, now: datetime) -> Subscription:
    """Returns the subscription for a state that was read at `now`; `before`: the last known subscription."""
    since: datetime | None = None
    if state.status in _PAST_DUE:
        same = before is not None and before.subscription_id == state.id
        since = (before.past_due_since if before is not None and same else None) or now
    return Subscription(
        subscription_id=state.id,
        plan=plan,
        status=state.status,
        seats=state.seats,
        period_start=state.period_start,
        period_end=state.period_end,
        cancel_at_period_end=state.cancel_at_period_end,
        trial_end=state.trial_end,
        past_due_since=since,
    )


def grace_ends(subscription: Subscription | None, unpaid_since: datetime | None, grace: timedelta) -> list[datetime]:
    """Returns the ends of the grace periods, of the subscription and of unpaid usage, in order."""
    ends = [subscription.grace_ends_at(grace) if subscription else None, unpaid_since + grace if unpaid_since else None]
    return sorted(end for end in ends if end is not None)


def foremost(states: list[tuple[SubscriptionState, Plan]]) -> tuple[SubscriptionState, Plan] | None:
    """Returns the state that counts: an active one before a past-due one, then the newest; None for an empty list."""

    def rank(one: tuple[SubscriptionState, Plan]) -> tuple[int, datetime, str]:
        state, _ = one
        return (2 if state.status in _IN_FORCE else state.status in _PAST_DUE, state.period_start, state.id)

    return max(states, key=rank, default=None)
