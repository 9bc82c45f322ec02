"""The stand-in's objects have the form of Stripe's: of its published samples, and of stripe-python's types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import stripe as sdk
from aichat_sandbox.stripe.world import load_samples
from stripe import billing_portal, checkout

from tests.fixtures.stripe import Stripe, open_sdk
from tests.integration.payments.asking import open_shop, paid_invoice, subscribe

KINDS: Mapping[str, type[sdk.StripeObject]] = {
    "customer": sdk.Customer,
    "product": sdk.Product,
    "price": sdk.Price,
    "checkout.session": checkout.Session,
    "billing_portal.session": billing_portal.Session,
    "subscription": sdk.Subscription,
    "subscription_item": sdk.SubscriptionItem,
    "payment_method": sdk.PaymentMethod,
    "invoiceitem": sdk.InvoiceItem,
    "invoice": sdk.Invoice,
    "line_item": sdk.InvoiceLineItem,
    "invoice_payment": sdk.InvoicePayment,
    "payment_intent": sdk.PaymentIntent,
    "charge": sdk.Charge,
    "refund": sdk.Refund,
    "credit_note": sdk.CreditNote,
    "credit_note_line_item": sdk.CreditNoteLineItem,
    "event": sdk.Event,
}
# The SDK is newer than the samples.
NEWER = {"redirect_on_completion", "transfer", "failure_balance_transaction", "pending_reason", "payment_record"}


async def a_life(client: sdk.StripeClient, stripe: Stripe) -> list[str]:
    """Runs through a customer's life; returns the paths of all its objects."""
    shop = await open_shop(client)
    await subscribe(client, stripe, shop, seats=2, trial_days=14)
    invoice = await paid_invoice(client, shop.customer)
    [payment] = (await client.v1.invoice_payments.list_async({"invoice": invoice.id})).data
    intent = payment.payment.payment_intent
    assert isinstance(intent, str)
    refund = await client.v1.refunds.create_async({"payment_intent": intent, "amount": 100})
    await client.v1.credit_notes.create_async({"invoice": invoice.id, "amount": 50, "refund_amount": 50})
    return [
        f"customers/{shop.customer}",
        f"payment_methods?customer={shop.customer}",
        f"subscriptions?customer={shop.customer}",
        f"invoices?customer={shop.customer}",
        f"invoiceitems?customer={shop.customer}",
        f"prices/{shop.small}",
        "products",
        "checkout/sessions",
        f"invoice_payments/{payment.id}",
        f"payment_intents/{intent}",
        f"charges/{refund.charge}",
        f"refunds/{refund.id}",
        "credit_notes",
        "events?limit=100",
    ]


@pytest.fixture(scope="module")
async def objects(_stripe_process: Stripe) -> dict[str, list[dict[str, Any]]]:
    """Objects of every kind from a customer's life."""
    found: dict[str, list[dict[str, Any]]] = {}

    def note(thing: Any) -> None:
        if isinstance(thing, dict):
            if isinstance(thing.get("object"), str) and thing["object"] in KINDS and not thing.get("deleted"):
                found.setdefault(thing["object"], []).append(thing)
            for value in thing.values():
                note(value)
        elif isinstance(thing, list):
            for value in thing:
                note(value)

    async with open_sdk(_stripe_process.url) as client:
        portal = await client.v1.billing_portal.sessions.create_async(
            {"customer": (await client.v1.customers.create_async()).id}
        )
        note(portal.to_dict())
        for path in await a_life(client, _stripe_process):
            response = await client.raw_request_async("get", f"/v1/{path}")
            note(json.loads(response.body))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_has_the_keys_and_types_of_stripes_sample(
    kind: str, objects: dict[str, list[dict[str, Any]]]
) -> None:
    sample = load_samples()[kind]
    for thing in objects[kind]:
        assert set(thing) >= set(sample)
        assert set(thing) <= set(sample) | set(KINDS[kind].__annotations__)
        for name, value in thing.items():
            if value is not None and sample.get(name) is not None and not isinstance(sample[name], dict):
                assert type(value) is type(sample[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_objects_have_the_fields_of_stripe_pythons_types(kind: str, objects: dict[str, list[dict[str, Any]]]) -> None:
    hints = {name: str(hint) for name, hint in KINDS[kind].__annotations__.items()}
    never_null = {
        name for name, hint in hints.items() if not any(word in hint for word in ("Optional", "None", "ClassVar"))
    }
    for thing in objects[kind]:
        assert {name for name in never_null - NEWER if thing.get(name) is None} == set()
