"""The fixtures of tests of Stripe's stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import stripe as sdk

from tests.fixtures.stripe import Stripe


@dataclass(frozen=True, slots=True)
class Shop:
    """A customer, and prices to subscribe to."""

    customer: str
    small: str
    """A price of 10.00 a month."""
    large: str
    """A price of 30.00 a month."""


async def open_shop(client: sdk.StripeClient) -> Shop:
    """Returns a new customer without a card, and two new prices."""
    customer = await client.v1.customers.create_async({"name": "Ada", "email": "ada@example.com"})
    product = await client.v1.products.create_async({"name": f"Pro {uuid4()}"})
    prices = [
        await client.v1.prices.create_async(
            {"product": product.id, "currency": "usd", "unit_amount": amount, "recurring": {"interval": "month"}}
        )
        for amount in (1000, 3000)
    ]
    return Shop(customer.id, prices[0].id, prices[1].id)


async def keep_card(client: sdk.StripeClient, customer: str, card: str = "pm_card_visa") -> str:
    """Attaches a test card to the customer, not as a default; returns its id."""
    return (await client.v1.payment_methods.attach_async(card, {"customer": customer})).id


async def subscribe(
    client: sdk.StripeClient,
    stripe: Stripe,
    shop: Shop,
    *,
    seats: int = 1,
    trial_days: int = 0,
    card: str = "pm_card_visa",
) -> str:
    """Returns the id of a subscription from a checkout session's page."""
    session = await client.v1.checkout.sessions.create_async(
        {
            "mode": "subscription",
            "customer": shop.customer,
            "line_items": [{"price": shop.small, "quantity": seats}],
            "success_url": "https://example.com/done",
            "subscription_data": {"trial_period_days": trial_days} if trial_days else {},
        }
    )
    await stripe.complete(session.id, card)
    done = await client.v1.checkout.sessions.retrieve_async(session.id)
    assert isinstance(done.subscription, str)
    return done.subscription


async def paid_invoice(client: sdk.StripeClient, customer: str, amount: int = 1000) -> sdk.Invoice:
    """Returns an invoice with one item, paid by a card of the customer."""
    card = await keep_card(client, customer)
    draft = await client.v1.invoices.create_async({"customer": customer, "default_payment_method": card})
    await client.v1.invoice_items.create_async(
        {"customer": customer, "invoice": draft.id, "amount": amount, "currency": "usd", "description": "Tokens"}
    )
    await client.v1.invoices.finalize_invoice_async(draft.id, {"auto_advance": True})
    return await client.v1.invoices.retrieve_async(draft.id)
