"""What a payment provider does for us. `gateway` has modules for each provider; `app` chooses one.

Each method fails with BILLING_UNAVAILABLE, BILLING_NOT_CONFIGURED, BILLING_OBJECT_MISSING, BILLING_REQUEST_REJECTED or
PAYMENT_DECLINED. A `key` is an idempotency key: the provider makes a change once, however often the same key requests
it within 24 hours; the same key with other parameters is BILLING_REQUEST_REJECTED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from aichat_server.payments.domain.billing import (
    BillingEvent,
    ChargeState,
    CheckoutState,
    InvoiceItem,
    InvoiceLine,
    InvoicePage,
    InvoiceState,
    Offer,
    RefundState,
    SubscriptionState,
)
from aichat_server.payments.domain.cards import Cards


class PaymentCustomers(Protocol):
    """Customers at the payment provider, and how they subscribe and pay."""

    async def ensure_customer(self, org_id: UUID, version: int, *, name: str, email: str | None) -> str:
        """Returns the id of the organisation's customer, and creates it if the last 24 hours did not.

        `version` grows when a customer is deleted, so that the next one is another.
        """
        ...

    async def is_deleted(self, customer_id: str) -> bool:
        """Returns whether the provider's customer was deleted there."""
        ...

    async def cards(self, customer_id: str, subscription_id: str | None) -> Cards:
        """Returns what the customer can pay with; nothing if the customer was deleted."""
        ...

    async def set_subscription_card(self, subscription_id: str, card_id: str) -> None:
        """Charges the subscription to this card from now on."""
        ...

    async def create_checkout(
        self, customer_id: str, offer: Offer, *, success_url: str, cancel_url: str, org_id: UUID, key: str
    ) -> CheckoutState:
        """Returns a page on which the customer subscribes."""
        ...

    async def fetch_checkout(self, session_id: str) -> CheckoutState:
        """Returns the page's state now."""
        ...

    async def create_portal(self, customer_id: str, *, return_url: str) -> str:
        """Returns the address of a page for cards, subscription and invoices, which is valid for minutes."""
        ...

    async def fetch_subscription(self, subscription_id: str) -> SubscriptionState:
        """Returns the subscription's state now."""
        ...

    async def list_subscriptions(self, customer_id: str) -> list[SubscriptionState]:
        """Returns the customer's subscriptions that have not ended, the newest first: at most 100."""
        ...

    async def change_subscription(
        self, subscription_id: str, price_id: str, seats: int, *, key: str
    ) -> SubscriptionState:
        """Changes price and seats at once, and prorates the current period on the next invoice.

        It also undoes a cancellation at the period's end.
        """
        ...

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool) -> SubscriptionState:
        """Ends it at its period's end, or now. One that has ended stays as it is."""
        ...

    async def ensure_price(self, lookup_key: str, *, name: str, amount: int, currency: str) -> str:
        """Returns the id of the monthly price that `lookup_key` names, and creates it if there is none.

        `amount` is per seat, in minor units; a price that exists keeps its own.
        """
        ...


class PaymentInvoices(Protocol):
    """Invoices at the payment provider."""

    async def create_draft(
        self, customer_id: str, currency: str, *, description: str, metadata: Mapping[str, str], key: str
    ) -> InvoiceState:
        """Returns a new draft without lines, which the provider collects once it is finalised: see `set_card`."""
        ...

    async def add_item(self, customer_id: str, item: InvoiceItem, *, invoice_id: str | None, key: str) -> str:
        """Adds the item to this draft, of the same currency; returns the item's id.

        Without a draft the item waits for the customer's next invoice.
        """
        ...

    async def fetch(self, invoice_id: str) -> InvoiceState:
        """Returns the invoice's state now."""
        ...

    async def fetch_lines(self, invoice_id: str) -> tuple[InvoiceLine, ...]:
        """Returns all its lines, in the invoice's order."""
        ...

    async def list_page(self, customer_id: str, *, size: int, after: str | None) -> InvoicePage:
        """Returns the customer's invoices that follow the one with the id `after`, drafts among them; at most 100."""
        ...

    async def set_card(self, invoice_id: str, card_id: str) -> None:
        """Collects a draft or open invoice from this card instead of the customer's default."""
        ...

    async def pay(self, invoice_id: str, card_id: str) -> InvoiceState:
        """Collects an open invoice from this card now, once a day for each card; returns it, paid or not."""
        ...

    async def finalize(self, invoice_id: str) -> InvoiceState:
        """Finalizes the draft and lets the provider collect it. A final one stays as it is."""
        ...

    async def void(self, invoice_id: str) -> InvoiceState:
        """Voids an open invoice. A void one stays as it is."""
        ...

    async def delete_draft(self, invoice_id: str) -> None:
        """Deletes the draft and every item on it. A draft that no longer exists is no failure."""
        ...

    async def refund(self, invoice_id: str, amount: int, *, name: str) -> RefundState:
        """Refunds `amount` of what was paid for the invoice, by the way it was paid; once for each `name`.

        BILLING_REQUEST_REJECTED also if nothing was paid, or less than that is left.
        """
        ...

    async def fetch_charge(self, charge_id: str) -> ChargeState:
        """Returns a payment's state now, and which invoice it was for."""
        ...


class PaymentEvents(Protocol):
    """Events that the payment provider sends."""

    def verify(self, body: bytes, signature: str | None) -> BillingEvent:
        """Returns the event in a request with this signature; `body` is as it arrived, to the byte.

        WEBHOOK_INVALID if the provider did not sign it in the last five minutes, or if it is no event.
        """
        ...


@dataclass(frozen=True, slots=True)
class PaymentProvider:
    """The payment provider with which the operator has an account."""

    customers: PaymentCustomers
    invoices: PaymentInvoices
