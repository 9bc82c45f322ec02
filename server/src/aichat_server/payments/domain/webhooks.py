"""Events of the payment provider: which are acted on, and how often one is tried."""

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
"""The types that say nothing of cards, and may be about them."""

MOST_ATTEMPTS = 12
"""How often an event is tried before it is given up."""
CLAIM = timedelta(minutes=5)
"""How long an attempt may take before another is made."""
NOT_ITS_FAULT = frozenset({Reason.BILLING_UNAVAILABLE, Reason.BILLING_NOT_CONFIGURED, Reason.STORAGE_UNAVAILABLE})
"""Failures that say nothing about the event, which is tried for as long as it takes."""

_FIRST_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that is to be acted on."""

    event_id: str
    type: str
    object_id: str
    attempts: int
    """This one included."""


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that was given up."""

    event_id: str
    type: str
    object_id: str
    parked_at: datetime
    failure: str
    """What the last attempt failed with."""


def wait_after(attempts: int) -> timedelta:
    """How long to wait when so many attempts have failed: each time twice as long, up to an hour."""
    return doubled(_FIRST_WAIT, _LONGEST_WAIT, attempts)
