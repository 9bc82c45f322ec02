"""Invoices."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import missing_parameter, refused
from aichat_sandbox.stripe.world import Object, World

from . import cards, invoicing

_CREATE = (
    "customer currency auto_advance collection_method days_until_due description metadata footer "
    "pending_invoice_items_behavior default_payment_method"
)


def create(call: Call) -> Object:
    """Creates a draft."""
    params, world = call.params, call.world
    customer = call.named("customer", "customer")
    if customer is None:
        raise missing_parameter("customer")
    method = cards.of_customer(call, params, "default_payment_method", customer)
    collection = params.choice("collection_method", "charge_automatically send_invoice", "charge_automatically")
    days = params.number("days_until_due")
    if collection == "send_invoice" and days is None:
        raise missing_parameter("days_until_due")
    behavior = params.choice("pending_invoice_items_behavior", "exclude include", "exclude")
    currency = (params.text("currency") or "").lower() or None
    items = invoicing.waiting(world, customer, currency) if behavior == "include" else []
    invoice = invoicing.draft(
        world,
        customer,
        currency or (items[0]["currency"] if items else "usd"),
        items,
        auto_advance=params.flag("auto_advance"),
        collection_method=collection,
        default_payment_method=method["id"] if method else None,
        description=params.text("description"),
        due_date=world.now() + days * 86400 if days is not None else None,
        footer=params.text("footer"),
        metadata=params.metadata(),
    )
    world.emit("invoice.created", invoice)
    return invoice


def update(call: Call) -> Object:
    """Changes the given fields; of an open invoice only its card and metadata."""
    invoice, params = call.subject("invoice"), call.params
    editable = {"draft": set(params.values), "open": {"metadata", "default_payment_method"}}
    if set(params.values) - editable.get(invoice["status"], {"metadata"}) - {"expand"}:
        raise refused("Finalized invoices can't be updated in this way", "invoice_not_editable")
    changed: Object = {name: params.text(name) for name in ("description", "footer") if params.given(name)}
    changed["auto_advance"] = params.flag("auto_advance", default=invoice["auto_advance"])
    changed["metadata"] = params.metadata(invoice["metadata"])
    if params.given("default_payment_method"):
        customer = call.world.find("customer", invoice["customer"])
        method = cards.of_customer(call, params, "default_payment_method", customer)
        changed["default_payment_method"] = method["id"] if method else None
    call.world.change(invoice, "invoice.updated", **changed)
    return invoice


def finalize(call: Call) -> Object:
    """Finalizes a draft."""
    invoice = call.subject("invoice")
    if call.params.given("auto_advance"):
        invoice["auto_advance"] = call.params.flag("auto_advance")
    invoicing.finalize(call.world, invoice)
    return invoice


def pay(call: Call) -> Object:
    """Charges the invoice now."""
    invoice, key = call.subject("invoice"), call.params.text("payment_method")
    if call.params.flag("paid_out_of_band"):
        if invoice["status"] != "open":
            raise refused(f"This invoice is {invoice['status']}: it cannot be paid.", "invoice_not_payable")
        invoicing.settle(call.world, invoice)
        return invoice
    invoicing.pay(call.world, invoice, cards.find(call.world, key, "payment_method") if key else None)
    return invoice


def void(call: Call) -> Object:
    """Voids an open invoice; it keeps its number."""
    invoice = call.subject("invoice")
    if invoice["status"] not in {"open", "uncollectible"}:
        raise refused(f"You can only void open invoices; this one's status is {invoice['status']}.")
    times = invoice["status_transitions"] | {"voided_at": call.world.now()}
    call.world.change(invoice, "invoice.voided", status="void", status_transitions=times)
    return invoice


def mark_uncollectible(call: Call) -> Object:
    """Marks an open invoice as uncollectible; it can still be paid or voided."""
    invoice = call.subject("invoice")
    if invoice["status"] != "open":
        raise refused(f"You can only mark open invoices; this one's status is {invoice['status']}.")
    times = invoice["status_transitions"] | {"marked_uncollectible_at": call.world.now()}
    call.world.change(invoice, "invoice.marked_uncollectible", status="uncollectible", status_transitions=times)
    return invoice


def delete(call: Call) -> Object:
    """Deletes a draft."""
    return delete_draft(call.world, call.subject("invoice"))


def delete_draft(world: World, invoice: Object) -> Object:
    """Deletes a draft; its items then wait for another invoice."""
    if invoice["status"] != "draft":
        raise refused("You can only delete draft invoices.")
    for item in world.every("invoiceitem", invoice=invoice["id"]):
        item["invoice"] = None
    gone = world.remove(invoice)
    world.emit("invoice.deleted", invoice)
    return gone


def list_all(call: Call) -> Object:
    """Lists invoices, the newest first."""
    params = call.params
    where: Object = {name: key for name in ("customer", "status", "collection_method") if (key := params.text(name))}
    subscription = params.text("subscription")
    found = call.world.every("invoice", **where)
    return call.page(one for one in found if subscription in {None, _subscription(one)})


def _subscription(invoice: Object) -> str | None:
    key: str | None = ((invoice["parent"] or {}).get("subscription_details") or {}).get("subscription")
    return key


def list_lines(call: Call) -> Object:
    """Lists lines in the order of the invoice."""
    return call.page(call.subject("invoice")["lines"]["data"], newest_first=False)


ROUTES = (
    Route("POST", "/v1/invoices", create, _CREATE),
    Route("GET", "/v1/invoices", list_all, f"{PAGED} customer status collection_method subscription"),
    Route("GET", "/v1/invoices/{id}", lambda call: call.subject("invoice")),
    Route("POST", "/v1/invoices/{id}", update, "auto_advance default_payment_method description footer metadata"),
    Route("DELETE", "/v1/invoices/{id}", delete),
    Route("GET", "/v1/invoices/{id}/lines", list_lines, PAGED),
    Route("POST", "/v1/invoices/{id}/finalize", finalize, "auto_advance"),
    Route("POST", "/v1/invoices/{id}/pay", pay, "payment_method paid_out_of_band off_session"),
    Route("POST", "/v1/invoices/{id}/void", void),
    Route("POST", "/v1/invoices/{id}/mark_uncollectible", mark_uncollectible),
)
