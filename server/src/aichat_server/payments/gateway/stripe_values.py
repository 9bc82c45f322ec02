"""Converts Stripe's objects to our values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import checkout

from aichat_server.payments.domain.billing import (
    CheckoutState,
    InvoiceLine,
    InvoiceState,
    InvoiceStatus,
    PaymentMethodState,
    SubscriptionState,
    SubscriptionStatus,
)


def id_of(reference: Any) -> str | None:
    """Returns the id of a referenced object, expanded or not."""
    if reference is None or isinstance(reference, str):
        return reference
    return str(reference.id)


def moment(seconds: int) -> datetime:
    """Converts Unix seconds to a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def checkout_state(session: checkout.Session) -> CheckoutState:
    """Converts a checkout session."""
    return CheckoutState(
        id=session.id,
        url=session.url,
        is_complete=session.status == "complete",
        customer_id=id_of(session.customer),
        subscription_id=id_of(session.subscription),
    )


def subscription_state(subscription: stripe.Subscription) -> SubscriptionState:
    """Converts a subscription, whose only price is that of its first item."""
    # `items` is a method of every Stripe object, so the field is read by name.
    entry: stripe.SubscriptionItem = subscription["items"].data[0]
    return SubscriptionState(
        id=subscription.id,
        customer_id=id_of(subscription.customer) or "",
        status=SubscriptionStatus(subscription.status),
        price_id=entry.price.id,
        price_lookup_key=entry.price.lookup_key,
        seats=entry.quantity or 0,
        period_start=moment(entry.current_period_start),
        period_end=moment(entry.current_period_end),
        cancel_at_period_end=subscription.cancel_at_period_end,
        trial_end=None if subscription.trial_end is None else moment(subscription.trial_end),
        metadata=subscription.metadata.to_dict(),
    )


def payment_method_state(method: stripe.PaymentMethod) -> PaymentMethodState:
    """Converts a payment method."""
    card = method.card
    return PaymentMethodState(
        id=method.id,
        kind=method.type,
        brand=card.brand if card else None,
        last_digits=card.last4 if card else None,
        expires_year=card.exp_year if card else None,
        expires_month=card.exp_month if card else None,
    )


def invoice_state(invoice: stripe.Invoice) -> InvoiceState:
    """Converts an invoice."""
    parent = invoice.parent.subscription_details if invoice.parent else None
    finalized = invoice.status_transitions.finalized_at
    return InvoiceState(
        id=invoice.id,
        customer_id=id_of(invoice.customer) or "",
        subscription_id=id_of(parent.subscription) if parent else None,
        number=invoice.number,
        status=InvoiceStatus(invoice.status or "draft"),
        currency=invoice.currency,
        total=invoice.total,
        amount_due=invoice.amount_due,
        amount_paid=invoice.amount_paid,
        created_at=moment(invoice.created),
        page_url=invoice.hosted_invoice_url,
        pdf_url=invoice.invoice_pdf,
        metadata=invoice.metadata.to_dict() if invoice.metadata else {},
        finalized_at=None if finalized is None else moment(finalized),
        is_attempted=invoice.attempted,
        card_id=id_of(invoice.default_payment_method),
    )


def invoice_line(line: stripe.InvoiceLineItem) -> InvoiceLine:
    """Converts one line."""
    item = line.parent.invoice_item_details if line.parent else None
    return InvoiceLine(
        id=line.id,
        item_id=item.invoice_item if item else None,
        amount=line.amount,
        currency=line.currency,
        description=line.description or "",
        metadata=line.metadata.to_dict(),
    )
