"""Billing portal sessions: a Stripe page on which a customer manages cards and the subscription."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import Call, Route
from aichat_sandbox.stripe.failures import missing_parameter
from aichat_sandbox.stripe.world import Object, World

from . import cards


def create(call: Call) -> Object:
    """Creates a session."""
    customer = call.named("customer", "customer")
    if customer is None:
        raise missing_parameter("customer")
    session = call.world.mould(
        "billing_portal.session",
        configuration=call.params.text("configuration") or "bpc_stand_in",
        customer=customer["id"],
        return_url=call.params.text("return_url"),
    )
    session["url"] = f"{call.world.origin}/_pages/portal/{session['id']}"
    return call.world.add(session)


def change_card(world: World, key: str, test_card: str) -> Object:
    """Adds a test card on the page, as the customer would.

    It becomes the customer's default; subscriptions with a card of their own are still charged to that card.
    """
    session = world.find("billing_portal.session", key)
    customer = world.find("customer", session["customer"])
    method = cards.make(world, test_card)
    cards.join(world, method, customer)
    settings = customer["invoice_settings"] | {"default_payment_method": method["id"]}
    world.change(customer, "customer.updated", invoice_settings=settings)
    return method


ROUTES = (Route("POST", "/v1/billing_portal/sessions", create, "customer return_url configuration"),)
