"""An organisation's billing at the payment provider. Amounts are whole minor units, such as cents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SubscriptionStatus(StrEnum):
    """The status of a subscription, in Stripe's words."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    UNPAID = "unpaid"
    PAUSED = "paused"


class InvoiceStatus(StrEnum):
    """The status of an invoice, in Stripe's words."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a customer can subscribe to."""

    price_id: str
    seats: int
    trial_days: int
    """0: none."""


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """A page on which a customer subscribes."""

    id: str
    url: str | None
    """None once it is closed."""
    is_complete: bool
    customer_id: str | None
    subscription_id: str | None
    """None until it is complete."""


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription to one price."""

    id: str
    customer_id: str
    status: SubscriptionStatus
    price_id: str
    price_lookup_key: str | None
    seats: int
    period_start: datetime
    period_end: datetime
    """The period's end, exclusive."""
    cancel_at_period_end: bool
    trial_end: datetime | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PaymentMethodState:
    """What pays invoices. A method that is not a card has no digits and no expiry."""

    id: str
    kind: str
    """"card", or another of Stripe's types."""
    brand: str | None
    last_digits: str | None
    expires_year: int | None
    expires_month: int | None


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """An item for an invoice."""

    amount: int
    """Below 0 for a credit."""
    currency: str
    """Three lower-case letters, such as "usd"."""
    description: str
    period_start: datetime
    period_end: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of an invoice."""

    id: str
    item_id: str | None
    """The invoice item's id; None for a subscription's own line."""
    amount: int
    currency: str
    description: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """An invoice without its lines."""

    id: str
    customer_id: str
    subscription_id: str | None
    number: str | None
    """None while it is a draft, as are the two addresses."""
    status: InvoiceStatus
    currency: str
    total: int
    amount_due: int
    amount_paid: int
    created_at: datetime
    page_url: str | None
    pdf_url: str | None
    metadata: Mapping[str, str]
    finalized_at: datetime | None
    """None while it is a draft."""
    is_attempted: bool
    """Whether the provider has tried to collect it."""
    card_id: str | None
    """The card that pays it; None: the customer's default."""


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """Some invoices, the newest first."""

    invoices: tuple[InvoiceState, ...]
    next_after: str | None
    """The id after which the next page begins; None on the last one."""


@dataclass(frozen=True, slots=True)
class ChargeState:
    """A payment and its refunds."""

    id: str
    customer_id: str | None
    invoice_id: str | None
    """None for a payment without an invoice."""
    amount: int
    amount_refunded: int
    currency: str


@dataclass(frozen=True, slots=True)
class RefundState:
    """One refund."""

    id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """An event at the provider. Its copy of the object may be old: processing it reads the object again."""

    id: str
    type: str
    object_id: str
    created_at: datetime
