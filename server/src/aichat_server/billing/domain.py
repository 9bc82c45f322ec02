"""What an organisation is subscribed to, and which plan comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from aichat_server.payments.domain.billing import SubscriptionState, SubscriptionStatus
from aichat_server.plans.domain import Plan

_IN_FORCE = frozenset({SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE})
_PAST_DUE = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID})
_NOT_BEGUN = frozenset({SubscriptionStatus.INCOMPLETE, SubscriptionStatus.INCOMPLETE_EXPIRED})
_ENDED = frozenset({SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED})


@dataclass(frozen=True, slots=True)
class BillingAccount:
    """Who an organisation is at the payment provider."""

    customer_id: str | None
    """None before the first checkout, and after the customer was deleted there."""
    customer_version: int
    """How many of its customers were deleted there."""
    seen_version: int
    """Grows with each state of its subscription that is taken over."""
    first_subscribed_at: datetime | None
    seen_card_id: str | None
    """The customer's default card when it was last looked at."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription, as it was when the payment provider was asked last."""

    subscription_id: str
    plan: Plan
    status: SubscriptionStatus
    seats: int
    period_start: datetime
    period_end: datetime
    """The moment after the period's last."""
    cancel_at_period_end: bool
    trial_end: datetime | None
    past_due_since: datetime | None
    """When it was first seen to be past due; None while it is not."""

    @property
    def has_ended(self) -> bool:
        """Whether another one may take its place."""
        return self.status in _ENDED

    @property
    def has_begun(self) -> bool:
        """Whether it was on trial or paid for, so that no other can be the first."""
        return self.status not in _NOT_BEGUN

    def grace_ends_at(self, grace: timedelta) -> datetime | None:
        """Until when it counts although it is past due; None if it is not."""
        return self.past_due_since + grace if self.past_due_since is not None else None

    def plan_at(self, now: datetime, grace: timedelta, unpaid_since: datetime | None = None) -> Plan:
        """The plan that it gives: its own while it is paid for, on trial or in its grace, and Free otherwise.

        `unpaid_since`: since when an invoice for usage was not paid, which has the same grace.
        """
        if unpaid_since is not None and unpaid_since + grace <= now:
            return Plan.FREE
        if self.status in _IN_FORCE:
            return self.plan
        grace_end = self.grace_ends_at(grace)
        return self.plan if grace_end is not None and now < grace_end else Plan.FREE


def subscription_of(state: SubscriptionState, plan: Plan, before: Subscription | None, now: datetime) -> Subscription:
    """The subscription in a state that was read at `now`; `before`: the one that was known until then."""
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
    """Until when a plan lasts that is past due, and one whose usage was not paid: in order, those that there are."""
    ends = [subscription.grace_ends_at(grace) if subscription else None, unpaid_since + grace if unpaid_since else None]
    return sorted(end for end in ends if end is not None)


def foremost(states: list[tuple[SubscriptionState, Plan]]) -> tuple[SubscriptionState, Plan] | None:
    """The one that counts: one in force before one that is past due, and of those alike the newest; None of none."""

    def rank(one: tuple[SubscriptionState, Plan]) -> tuple[int, datetime, str]:
        state, _ = one
        return (2 if state.status in _IN_FORCE else state.status in _PAST_DUE, state.period_start, state.id)

    return max(states, key=rank, default=None)
