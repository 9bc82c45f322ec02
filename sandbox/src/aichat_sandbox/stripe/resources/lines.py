"""The lines of an invoice, and their sum."""

from __future__ import annotations

from typing import Any

from aichat_sandbox.stripe.world import Object, World


def line_of(world: World, item: Object, invoice: Object) -> Object:
    """Returns the line that shows an invoice item."""
    subscription = (item["parent"] or {}).get("subscription_details", {}).get("subscription")
    details = {
        "invoice_item": item["id"],
        "proration": item["proration"],
        "proration_details": {"credited_items": None},
        "subscription": subscription,
    }
    parent = {"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None}
    return _line(world, item, invoice, parent=parent, pricing=item["pricing"], period=item["period"])


def line_for_seats(world: World, subscription: Object, entry: Object, invoice: Object) -> Object:
    """Returns the line for one period of a subscription's entry; its amount is 0 during a trial."""
    price, quantity = entry["price"], entry["quantity"]
    free = subscription["status"] == "trialing"
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": entry["id"],
    }
    shown: Object = {
        "amount": 0 if free else price["unit_amount"] * quantity,
        "currency": price["currency"],
        "description": f"{'Trial period for' if free else f'{quantity} ×'} {price['nickname'] or price['id']}",
        "discountable": True,
        "metadata": subscription["metadata"],
        "quantity": quantity,
    }
    period = {"start": entry["current_period_start"], "end": entry["current_period_end"]}
    parent = {"type": "subscription_item_details", "subscription_item_details": details, "invoice_item_details": None}
    return _line(world, shown, invoice, parent=parent, pricing=pricing_of(price), period=period)


def pricing_of(price: Object) -> Object:
    """Returns the price as a line shows it."""
    details = {"price": price["id"], "product": price["product"]}
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": price["unit_amount_decimal"]}


def _line(world: World, shown: Object, invoice: Object, **fields: Any) -> Object:
    line = world.mould(
        "line_item",
        amount=shown["amount"],
        currency=shown["currency"],
        description=shown["description"],
        discountable=shown["discountable"],
        invoice=invoice["id"],
        metadata=dict(shown["metadata"]),
        quantity=shown["quantity"],
        quantity_decimal=str(shown["quantity"]),
        subtotal=shown["amount"],
    )
    return line | fields


def total(invoice: Object) -> None:
    """Sums the lines again."""
    amount = sum(line["amount"] for line in invoice["lines"]["data"])
    invoice |= {"subtotal": amount, "subtotal_excluding_tax": amount, "total": amount, "total_excluding_tax": amount}
    invoice |= {"amount_due": max(amount, 0), "amount_remaining": max(amount, 0) - invoice["amount_paid"]}
