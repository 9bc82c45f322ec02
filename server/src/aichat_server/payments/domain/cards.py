"""Which card of a customer's what is due is collected from."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.payments.domain.billing import PaymentMethodState


@dataclass(frozen=True, slots=True)
class Cards:
    """What a customer could pay with. Checkout makes a card the subscription's default, the portal the customer's."""

    attached: tuple[PaymentMethodState, ...]
    """The newest first; no other can be charged."""
    customer_default: str | None
    subscription_default: str | None

    def chosen(self, seen_default: str | None) -> PaymentMethodState | None:
        """What the customer wants to pay with: the default that the portal has set since the customer's was
        `seen_default`, or else what Stripe takes for the subscription; the newest where neither has a default.
        """
        defaults = (self.subscription_default, self.customer_default)
        if self.has_changed(seen_default):
            defaults = defaults[::-1]
        there = {method.id: method for method in self.attached}
        found = next((there[key] for key in defaults if key in there), None)
        return found or next(iter(self.attached), None)

    def has_changed(self, seen_default: str | None) -> bool:
        """Whether the customer has another default since it was `seen_default`."""
        return self.customer_default is not None and self.customer_default != seen_default
