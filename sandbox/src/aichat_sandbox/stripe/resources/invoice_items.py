"""Invoice items: charges for the next invoice, or for a draft."""

from __future__ import annotations

from typing import Any

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import invalid, missing_parameter, refused
from aichat_sandbox.stripe.world import Object, World

from .lines import line_of, total

MOST_ON_INVOICE = 250


def make(world: World, customer: str, amount: int, currency: str, **fields: Any) -> Object:
    """Creates an item of `amount` minor units; it waits for an invoice if `fields` name none."""
    item = world.mould(
        "invoiceitem",
        amount=amount,
        currency=currency,
        customer=customer,
        date=world.now(),
        discountable=amount >= 0,
        period={"start": world.now(), "end": world.now()},
        proration=False,
        pricing={"type": None, "price_details": None, "unit_amount_decimal": str(amount)},
        net_amount=amount,
        quantity=1,
        quantity_decimal="1",
    )
    item |= fields
    world.add(item)
    world.emit("invoiceitem.created", item)
    return item


def create(call: Call) -> Object:
    """Creates an item."""
    params, world = call.params, call.world
    customer = call.named("customer", "customer")
    if customer is None:
        raise missing_parameter("customer")
    amount, currency = params.number("amount"), params.text("currency")
    if amount is None:
        raise missing_parameter("amount")
    if currency is None:
        raise missing_parameter("currency")
    invoice = call.named("invoice", "invoice")
    if invoice and invoice["status"] != "draft":
        raise refused("The invoice is not a draft: items cannot be added to it.", "invoice_not_editable", "invoice")
    if invoice and (invoice["currency"] != currency.lower() or invoice["customer"] != customer["id"]):
        raise refused("The item has another customer or currency than the invoice.", None, "invoice")
    if invoice and len(invoice["lines"]["data"]) >= MOST_ON_INVOICE:
        raise refused(f"You can only add up to {MOST_ON_INVOICE} items to an invoice.", None, "invoice")
    item = make(
        world,
        customer["id"],
        amount,
        currency.lower(),
        description=params.text("description"),
        discountable=params.flag("discountable", default=amount >= 0),
        invoice=invoice["id"] if invoice else None,
        metadata=params.metadata(),
        period=_period(call),
    )
    if invoice:
        invoice["lines"]["data"].append(line_of(world, item, invoice))
        total(invoice)
    return item


def _period(call: Call) -> Object:
    given, now = call.params.nested("period"), call.world.now()
    if not given.values:
        return {"start": now, "end": now}
    start, end = (given.number(name) for name in ("start", "end"))
    if start is None or end is None or start > end:
        raise invalid("Invalid period: it needs a start that is not after its end", "period")
    return {"start": start, "end": end}


def update(call: Call) -> Object:
    """Changes the given fields, unless the item's invoice is final."""
    item, params = call.subject("invoiceitem"), call.params
    invoice = _editable(call.world, item)
    amount = params.number("amount")
    changed: Object = {"metadata": params.metadata(item["metadata"])}
    if params.given("description"):
        changed["description"] = params.text("description")
    if amount is not None:
        pricing = item["pricing"] | {"unit_amount_decimal": str(amount)}
        changed |= {"amount": amount, "net_amount": amount, "pricing": pricing}
    call.world.change(item, None, **changed)
    if invoice:
        lines = invoice["lines"]["data"]
        place = next(index for index, line in enumerate(lines) if is_of(line, item))
        lines[place] = line_of(call.world, item, invoice) | {"id": lines[place]["id"]}
        total(invoice)
    return item


def delete(call: Call) -> Object:
    """Deletes an item, and removes it from its draft."""
    item = call.subject("invoiceitem")
    invoice = _editable(call.world, item)
    if invoice:
        invoice["lines"]["data"] = [line for line in invoice["lines"]["data"] if not is_of(line, item)]
        total(invoice)
    gone = call.world.remove(item)
    call.world.emit("invoiceitem.deleted", item)
    return gone


def is_of(line: Object, item: Object) -> bool:
    """Whether the line shows the item."""
    return bool((line["parent"]["invoice_item_details"] or {}).get("invoice_item") == item["id"])


def _editable(world: World, item: Object) -> Object | None:
    if item["invoice"] is None:
        return None
    invoice = world.find("invoice", item["invoice"])
    if invoice["status"] != "draft":
        raise refused("The item is on an invoice that is no longer a draft.", "invoice_not_editable")
    return invoice


def list_all(call: Call) -> Object:
    """Lists items, the newest first."""
    params = call.params
    where: Object = {name: key for name in ("customer", "invoice") if (key := params.text(name))}
    if params.text("pending"):
        pending = params.flag("pending")
        return call.page(i for i in call.world.every("invoiceitem", **where) if (i["invoice"] is None) == pending)
    return call.page(call.world.every("invoiceitem", **where))


ROUTES = (
    Route(
        "POST",
        "/v1/invoiceitems",
        create,
        "customer amount currency description discountable invoice metadata period",
    ),
    Route("GET", "/v1/invoiceitems", list_all, f"{PAGED} customer invoice pending"),
    Route("GET", "/v1/invoiceitems/{id}", lambda call: call.subject("invoiceitem")),
    Route("POST", "/v1/invoiceitems/{id}", update, "amount description metadata"),
    Route("DELETE", "/v1/invoiceitems/{id}", delete),
)
