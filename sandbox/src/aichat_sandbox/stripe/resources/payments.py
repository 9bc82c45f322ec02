"""Payments and refunds: payment intents, charges, invoice payments, refunds."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import declined, invalid, missing_parameter, refused
from aichat_sandbox.stripe.world import Object, World

from .cards import declines


def charge_card(world: World, invoice: Object, method: Object) -> Object:
    """Charges the card with the invoice's amount; returns the charge, or raises card_error."""
    amount, refuses = invoice["amount_remaining"], declines(method)
    common = {"amount": amount, "currency": invoice["currency"], "customer": invoice["customer"]}
    intent = world.mould(
        "payment_intent",
        "payment_method_types",
        amount_capturable=0,
        amount_received=0 if refuses else amount,
        capture_method="automatic",
        confirmation_method="automatic",
        payment_method=None if refuses else method["id"],
        status="requires_payment_method" if refuses else "succeeded",
        **common,
    )
    charge = world.mould(
        "charge",
        "billing_details",
        amount_captured=0 if refuses else amount,
        amount_refunded=0,
        captured=not refuses,
        disputed=False,
        failure_code="card_declined" if refuses else None,
        failure_message="Your card was declined." if refuses else None,
        fraud_details={},
        paid=not refuses,
        payment_intent=intent["id"],
        payment_method=method["id"],
        refunded=False,
        status="failed" if refuses else "succeeded",
        **common,
    )
    charge["billing_details"] |= {"name": None}
    world.add(intent | {"latest_charge": charge["id"]})
    world.add(charge)
    world.emit("charge.failed" if refuses else "charge.succeeded", charge)
    if refuses:
        raise declined(charge["id"])
    _note_payment(world, invoice, intent)
    return charge


def _note_payment(world: World, invoice: Object, intent: Object) -> None:
    """Links the payment intent to the invoice that it paid."""
    world.add(
        world.mould(
            "invoice_payment",
            amount_paid=intent["amount"],
            amount_requested=intent["amount"],
            currency=intent["currency"],
            invoice=invoice["id"],
            is_default=True,
            payment={"type": "payment_intent", "payment_intent": intent["id"]},
            status="paid",
            status_transitions={"canceled_at": None, "paid_at": world.now()},
        )
    )


def create_refund(call: Call) -> Object:
    """Refunds a charge, in full or in part."""
    params, world = call.params, call.world
    charge = call.named("charge", "charge")
    if intent := call.named("payment_intent", "payment_intent"):
        charge = world.find("charge", intent["latest_charge"])
    if charge is None:
        raise missing_parameter("charge")
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.number("amount")
    if amount is not None and amount < 1:
        raise invalid("Invalid positive integer", "amount", "parameter_invalid_integer")
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount is not None and amount > left:
        raise refused(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", None, "amount")
    reason = params.text("reason")
    if reason:
        params.choice("reason", "duplicate fraudulent requested_by_customer", reason)
    return refund(world, charge, left if amount is None else amount, reason=reason, metadata=params.metadata())


def refund(world: World, charge: Object, amount: int, **fields: object) -> Object:
    """Refunds `amount` of the charge."""
    given = world.mould(
        "refund",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        status="succeeded",
    )
    world.add(given | fields)
    refunded = charge["amount_refunded"] + amount
    whole = refunded == charge["amount_captured"]
    world.change(charge, "charge.refunded", amount_refunded=refunded, refunded=whole)
    world.emit("refund.created", given | fields)
    return given | fields


def list_refunds(call: Call) -> Object:
    """Lists refunds, the newest first."""
    where = {name: key for name in ("charge", "payment_intent") if (key := call.params.text(name))}
    return call.page(call.world.every("refund", **where))


def list_charges(call: Call) -> Object:
    """Lists charges, the newest first."""
    where = {name: key for name in ("customer", "payment_intent") if (key := call.params.text(name))}
    return call.page(call.world.every("charge", **where))


def list_invoice_payments(call: Call) -> Object:
    """Lists invoice payments, the newest first."""
    params = call.params
    where = {name: key for name in ("invoice", "status") if (key := params.text(name))}
    intent = params.nested("payment").text("payment_intent")
    found = call.world.every("invoice_payment", **where)
    return call.page(one for one in found if intent in {None, one["payment"]["payment_intent"]})


ROUTES = (
    Route("GET", "/v1/payment_intents/{id}", lambda call: call.subject("payment_intent")),
    Route("GET", "/v1/charges", list_charges, f"{PAGED} customer payment_intent"),
    Route("GET", "/v1/charges/{id}", lambda call: call.subject("charge")),
    Route("GET", "/v1/invoice_payments", list_invoice_payments, f"{PAGED} invoice status payment"),
    Route("GET", "/v1/invoice_payments/{id}", lambda call: call.subject("invoice_payment")),
    Route("POST", "/v1/refunds", create_refund, "charge payment_intent amount reason metadata"),
    Route("GET", "/v1/refunds", list_refunds, f"{PAGED} charge payment_intent"),
    Route("GET", "/v1/refunds/{id}", lambda call: call.subject("refund")),
)
