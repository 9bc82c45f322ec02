"""Checkout sessions: a Stripe page on which a customer subscribes."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import declined, missing_parameter, refused
from aichat_sandbox.stripe.forms import Params
from aichat_sandbox.stripe.world import Object, World

from . import cards, customers, subscriptions

_TAKES = (
    "mode customer customer_email client_reference_id line_items success_url cancel_url subscription_data metadata "
    "allow_promotion_codes payment_method_collection payment_method_types"
)
_KEPT = ("automatic_tax", "payment_method_types")
_OPEN_SECONDS = 86_400


def create(call: Call) -> Object:
    """Creates a session."""
    params, world = call.params, call.world
    params.choice("mode", "subscription", params.required("mode"))
    success = params.required("success_url")
    customer = call.named("customer", "customer")
    wanted = params.each("line_items")
    if not wanted:
        raise missing_parameter("line_items")
    prices = [
        (world.named("price", one.required("price"), one.name("price")), one.number("quantity")) for one in wanted
    ]
    amount = sum(price["unit_amount"] * (1 if quantity is None else quantity) for price, quantity in prices)
    session = world.mould(
        "checkout.session",
        *_KEPT,
        amount_subtotal=amount,
        amount_total=amount,
        cancel_url=params.text("cancel_url"),
        client_reference_id=params.text("client_reference_id"),
        currency=prices[0][0]["currency"],
        custom_text=dict.fromkeys(world.samples["checkout.session"]["custom_text"]),
        customer=customer["id"] if customer else None,
        customer_email=params.text("customer_email"),
        expires_at=world.now() + _OPEN_SECONDS,
        metadata=params.metadata(),
        mode="subscription",
        payment_method_collection=params.text("payment_method_collection") or "always",
        payment_status="unpaid",
        status="open",
        success_url=success,
        ui_mode="hosted_page",
    )
    session["url"] = f"{world.origin}/_pages/checkout/{session['id']}"
    world.add(session)
    world.baskets[session["id"]] = {
        "line_items": params.values["line_items"],
        **params.nested("subscription_data").values,
    }
    return session


def complete(world: World, key: str, test_card: str) -> Object:
    """Completes the session as the customer would: pays with this test card, and so subscribes."""
    session = world.find("checkout.session", key)
    _check_open(world, session)
    method = cards.make(world, test_card)
    wanted = Params(world.baskets[key])
    if cards.declines(method) and not wanted.number("trial_period_days"):
        raise declined()
    call = Call(world, Params({"email": session["customer_email"] or "customer@example.com"}), "", "")
    customer = world.find("customer", session["customer"]) if session["customer"] else customers.make(call)
    cards.join(world, method, customer)
    subscription = subscriptions.begin(Call(world, wanted, "", ""), customer, wanted, wanted.each("line_items"), method)
    world.change(
        session,
        "checkout.session.completed",
        customer=customer["id"],
        invoice=subscription["latest_invoice"],
        payment_status="paid" if subscription["status"] == "active" else "no_payment_required",
        status="complete",
        subscription=subscription["id"],
        url=None,
    )
    return session


def _check_open(world: World, session: Object) -> None:
    if session["status"] == "open" and session["expires_at"] <= world.now():
        world.change(session, "checkout.session.expired", status="expired", url=None)
    if session["status"] != "open":
        raise refused(f"This Session is not open; its status is {session['status']}.")


def expire(call: Call) -> Object:
    """Expires a session that nobody has paid."""
    session = call.subject("checkout.session")
    _check_open(call.world, session)
    call.world.change(session, "checkout.session.expired", status="expired", url=None)
    return session


def list_all(call: Call) -> Object:
    """Lists sessions, the newest first."""
    where = {name: key for name in ("customer", "status", "subscription") if (key := call.params.text(name))}
    return call.page(call.world.every("checkout.session", **where))


ROUTES = (
    Route("POST", "/v1/checkout/sessions", create, _TAKES),
    Route("GET", "/v1/checkout/sessions", list_all, f"{PAGED} customer status subscription"),
    Route("GET", "/v1/checkout/sessions/{id}", lambda call: call.subject("checkout.session")),
    Route("POST", "/v1/checkout/sessions/{id}/expire", expire),
)
