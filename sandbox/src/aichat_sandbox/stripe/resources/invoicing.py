"""An invoice's life: drafted, finalized, paid or not, voided."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aichat_sandbox.stripe.failures import CallFailedError, refused
from aichat_sandbox.stripe.world import Object, World, listed

from .lines import line_of, total
from .payments import charge_card

_KEPT = ("automatic_tax", "status_transitions", "rendering", "customer_address")


def draft(world: World, customer: Object, currency: str, items: list[Object], **fields: Any) -> Object:
    """Creates a draft with these items."""
    now = world.now()
    invoice = world.mould(
        "invoice",
        *_KEPT,
        account_country="US",
        amount_overpaid=0,
        amount_paid=0,
        amount_shipping=0,
        attempt_count=0,
        attempted=False,
        auto_advance=False,
        billing_reason="manual",
        collection_method="charge_automatically",
        currency=currency,
        customer=customer["id"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        customer_phone=customer["phone"],
        customer_tax_exempt="none",
        issuer={"type": "self"},
        payment_settings=dict.fromkeys(world.samples["invoice"]["payment_settings"]),
        period_end=now,
        period_start=now,
        post_payment_credit_notes_amount=0,
        pre_payment_credit_notes_amount=0,
        starting_balance=0,
        status="draft",
    )
    invoice |= fields
    invoice["lines"] = listed([], f"/v1/invoices/{invoice['id']}/lines")
    for item in items:
        item["invoice"] = invoice["id"]
        invoice["lines"]["data"].append(line_of(world, item, invoice))
    total(invoice)
    return world.add(invoice)


def waiting(world: World, customer: Object, currency: str | None) -> list[Object]:
    """Returns the customer's items in one currency that are on no invoice."""
    found = world.every("invoiceitem", customer=customer["id"], invoice=None)
    return [item for item in found if currency in {None, item["currency"]}]


def finalize(world: World, invoice: Object) -> None:
    """Finalizes a draft, and charges it if it is collected automatically. A declined card leaves it open."""
    fix(world, invoice)
    if invoice["status"] == "open" and invoice["auto_advance"]:
        collect(world, invoice)


def fix(world: World, invoice: Object) -> None:
    """Gives a draft its number and pages; an invoice of 0 counts as paid."""
    if invoice["status"] != "draft":
        raise refused(f"This invoice is already finalized; its status is {invoice['status']}.", "invoice_not_editable")
    customer = world.find("customer", invoice["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    page = f"{world.origin}/_pages/invoices/{invoice['id']}"
    now = world.now()
    world.change(
        invoice,
        "invoice.finalized",
        effective_at=now,
        hosted_invoice_url=page,
        invoice_pdf=f"{page}.pdf",
        number=number,
        status="open",
        status_transitions=invoice["status_transitions"] | {"finalized_at": now},
    )
    if invoice["amount_remaining"] == 0:
        settle(world, invoice)


def collect(world: World, invoice: Object) -> None:
    """Charges the customer's card if the invoice is collected automatically; a declined card leaves it open."""
    if invoice["collection_method"] == "charge_automatically":
        with suppress(CallFailedError):
            pay(world, invoice)


def pay(world: World, invoice: Object, method: Object | None = None) -> None:
    """Charges the given card, or the customer's; fails as Stripe does if there is none or its bank declines."""
    if invoice["status"] == "draft":
        fix(world, invoice)
    elif invoice["status"] == "paid":
        raise refused("Invoice is already paid", "invoice_already_paid")
    if invoice["status"] == "void":
        raise refused("This invoice is void: it cannot be paid.", "invoice_not_payable")
    if invoice["status"] == "paid":
        return
    try:
        charge_card(world, invoice, method or _default_card(world, invoice))
    except CallFailedError:
        attempts = {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
        world.change(invoice, "invoice.payment_failed", **attempts)
        raise
    settle(world, invoice, attempted=True, attempt_count=invoice["attempt_count"] + 1)


def settle(world: World, invoice: Object, **fields: Any) -> None:
    """Marks it as paid, and makes its subscription active again if it was past due."""
    paid = {"paid_at": world.now()}
    world.change(
        invoice,
        "invoice.paid",
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        status="paid",
        status_transitions=invoice["status_transitions"] | paid,
        **fields,
    )
    world.emit("invoice.payment_succeeded", invoice)
    for subscription in world.every("subscription", latest_invoice=invoice["id"]):
        if subscription["status"] in {"incomplete", "past_due"}:
            world.change(subscription, "customer.subscription.updated", status="active")


def _default_card(world: World, invoice: Object) -> Object:
    customer = world.find("customer", invoice["customer"])
    # A subscription's card pays only that subscription's invoices.
    subscriptions = list(world.every("subscription", latest_invoice=invoice["id"]))
    keys = [invoice["default_payment_method"], *(one["default_payment_method"] for one in subscriptions)]
    key = next((key for key in [*keys, customer["invoice_settings"]["default_payment_method"]] if key), None)
    if key is None:
        raise refused(
            "There is no `default_payment_method` set on this Customer or Invoice. "
            "Please set a default payment method and try again."
        )
    method = world.find("payment_method", key)
    if method["customer"] != customer["id"]:
        raise refused("The provided PaymentMethod is not attached to the customer, and may not be used.")
    return method
