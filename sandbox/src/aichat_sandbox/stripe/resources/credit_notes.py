"""Credit notes: they reduce a final invoice, before or after its payment."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import missing_parameter, refused
from aichat_sandbox.stripe.world import Object, World, listed

from .payments import refund

_REASONS = "duplicate fraudulent order_change product_unsatisfactory"


def create(call: Call) -> Object:
    """Credits `amount`; the part that was already paid is refunded by `refund_amount` or out of band."""
    params, world = call.params, call.world
    invoice = call.named("invoice", "invoice")
    if invoice is None:
        raise missing_parameter("invoice")
    amount = params.number("amount")
    if amount is None:
        raise missing_parameter("amount")
    reason = params.text("reason")
    if reason:
        params.choice("reason", _REASONS, reason)
    back, elsewhere = params.number("refund_amount") or 0, params.number("out_of_band_amount") or 0
    _check(invoice, amount, back + elsewhere)
    note = _note(world, invoice, amount, post=invoice["status"] == "paid")
    note |= {"memo": params.text("memo"), "metadata": params.metadata(), "reason": reason}
    note["out_of_band_amount"] = elsewhere or None
    _apply(world, invoice, note, back)
    world.add(note)
    world.emit("credit_note.created", note)
    return note


def _check(invoice: Object, amount: int, returned: int) -> None:
    paid = invoice["status"] == "paid"
    if invoice["status"] not in {"open", "paid"}:
        raise refused(f"The invoice is {invoice['status']}: it cannot have a credit note.", None, "invoice")
    left = invoice["total"] - invoice["pre_payment_credit_notes_amount"] - invoice["post_payment_credit_notes_amount"]
    if not 0 < amount <= (left if paid else invoice["amount_remaining"]):
        raise refused(f"The credit note's amount is {amount}, but only {left} is left on the invoice.", None, "amount")
    if returned != (amount if paid else 0):
        raise refused("The sum of refund and out of band amounts must equal what was paid of the credit note's amount.")


def _note(world: World, invoice: Object, amount: int, *, post: bool) -> Object:
    count = sum(1 for _ in world.every("credit_note", invoice=invoice["id"])) + 1
    note = world.mould(
        "credit_note",
        amount=amount,
        amount_shipping=0,
        currency=invoice["currency"],
        customer=invoice["customer"],
        discount_amount=0,
        effective_at=world.now(),
        invoice=invoice["id"],
        number=f"{invoice['number']}-CN-{count:02}",
        pdf=f"{invoice['invoice_pdf']}?credit_note={count}",
        post_payment_amount=amount if post else 0,
        pre_payment_amount=0 if post else amount,
        status="issued",
        subtotal=amount,
        total=amount,
        type="post_payment" if post else "pre_payment",
    )
    line = world.mould(
        "credit_note_line_item",
        amount=amount,
        description="Credit",
        discount_amount=0,
        quantity=1,
        type="custom_line_item",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )
    return note | {"lines": listed([line], f"/v1/credit_notes/{note['id']}/lines")}


def _apply(world: World, invoice: Object, note: Object, back: int) -> None:
    if note["type"] == "pre_payment":
        amount = invoice["pre_payment_credit_notes_amount"] + note["amount"]
        left = invoice["amount_remaining"] - note["amount"]
        fields = {"amount_due": left, "amount_remaining": left, "pre_payment_credit_notes_amount": amount}
        world.change(invoice, "invoice.updated", **fields)
        return
    amount = invoice["post_payment_credit_notes_amount"] + note["amount"]
    world.change(invoice, "invoice.updated", post_payment_credit_notes_amount=amount)
    payment = next(world.every("invoice_payment", invoice=invoice["id"]), None)
    if back and payment:
        intent = world.find("payment_intent", payment["payment"]["payment_intent"])
        given = refund(world, world.find("charge", intent["latest_charge"]), back)
        note["refunds"] = [
            {"amount_refunded": back, "payment_record_refund": None, "refund": given["id"], "type": "refund"}
        ]


def list_all(call: Call) -> Object:
    """Lists credit notes, the newest first."""
    where = {name: key for name in ("customer", "invoice") if (key := call.params.text(name))}
    return call.page(call.world.every("credit_note", **where))


ROUTES = (
    Route(
        "POST",
        "/v1/credit_notes",
        create,
        "invoice amount refund_amount out_of_band_amount memo reason metadata",
    ),
    Route("GET", "/v1/credit_notes", list_all, f"{PAGED} customer invoice"),
    Route("GET", "/v1/credit_notes/{id}", lambda call: call.subject("credit_note")),
)
