"""Billing portal sessions: a page of Stripe's on which a customer looks after cards and subscription."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import Call, Route
from aichat_sandbox.stripe.failures import missing_parameter
from aichat_sandbox.stripe.world import Object


def create(call: Call) -> Object:
    """Opens one."""
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


ROUTES = (Route("POST", "/v1/billing_portal/sessions", create, "customer return_url configuration"),)
