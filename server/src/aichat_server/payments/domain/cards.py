"""Decides which of a customer's cards pays what is due."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.payments.domain.billing import PaymentMethodState


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards that a customer can pay with.

    Checkout makes a card the subscription's default, the portal the customer's.
    """

    attached: tuple[PaymentMethodState, ...]
    """The newest first; no other can be charged."""
    customer_default: str | None
    subscription_default: str | None

    def chosen(self, seen_default: str | None) -> PaymentMethodState | None:
        """Returns the card that the customer chose last; None if there is none.

        That is the default that the portal has set since the customer's was `seen_default`, or else the one that Stripe
        charges for the subscription; the newest if neither has a default.
        """
        defaults = (self.subscription_default, self.customer_default)
        if self.has_changed(seen_default):
            defaults = defaults[::-1]
        there = {method.id: method for method in self.attached}
        found = next((there[key] for key in defaults if key in there), None)
        return found or next(iter(self.attached), None)

    def has_changed(self, seen_default: str | None) -> bool:
        """Whether the customer's default has changed since it was `seen_default`."""
        return self.customer_default is not None and self.customer_default != seen_default
