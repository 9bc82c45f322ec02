"""Events of the payment provider: which are processed, and how often one is tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from aichat_server.core.backoff import doubled
from aichat_server.core.errors import Reason

HANDLED = frozenset(
    {
        "checkout.session.completed",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.voided",
        "invoice.marked_uncollectible",
        "charge.refunded",
        "customer.updated",
        "customer.deleted",
    }
)
"""The types that are processed; others are accepted and ignored."""

MAY_CHANGE_CARDS = frozenset({"checkout.session.completed", "customer.subscription.updated", "customer.updated"})
"""Types that do not report cards, but may change them."""

MOST_ATTEMPTS = 12
"""How often an event is tried before it is given up."""
CLAIM = timedelta(minutes=5)
"""How long an attempt may take before another begins."""
NOT_ITS_FAULT = frozenset({Reason.BILLING_UNAVAILABLE, Reason.BILLING_NOT_CONFIGURED, Reason.STORAGE_UNAVAILABLE})
"""Failures that say nothing about the event, which is retried as long as necessary."""

_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event to process."""

    event_id: str
    type: str
    object_id: str
    attempts: int
    """With this one."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that was given up."""

    event_id: str
    type: str
    object_id: str
    parked_at: datetime
    failure: str
    """The failure of the last attempt."""


def wait_after(attempts: int) -> timedelta:
    """Returns the delay after that many failed attempts: it doubles each time, up to an hour."""
    return doubled(_FIRST_WAIT, _LONGEST_WAIT, attempts)
