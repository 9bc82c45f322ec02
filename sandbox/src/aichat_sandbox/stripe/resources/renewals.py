"""Advances subscriptions in time: periods begin and are billed, trials and subscriptions end."""

from __future__ import annotations

from aichat_sandbox.stripe.forms import Params
from aichat_sandbox.stripe.world import Object, World

from . import invoicing
from .lines import line_for_seats, total
from .periods import period_end


def entry_of(world: World, subscription: Object, price: Object, params: Params) -> Object:
    """Creates the entry of a subscription for one price."""
    quantity = params.number("quantity")
    recurring = price["recurring"]
    plan = world.samples["plan"] | {
        "id": price["id"],
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": {},
        "product": price["product"],
        "transform_usage": None,
    }
    return world.mould(
        "subscription_item",
        metadata=params.metadata(),
        plan=plan,
        price=dict(price),
        quantity=1 if quantity is None else quantity,
        subscription=subscription["id"],
    )


def set_period(subscription: Object, start: int) -> None:
    """Sets the current period to the one that begins at `start`; the trial is one period."""
    for entry in subscription["items"]["data"]:
        recurring = entry["price"]["recurring"]
        end_of_period = period_end(
            subscription["billing_cycle_anchor"], start, recurring["interval"], recurring["interval_count"]
        )
        if subscription["status"] == "trialing":
            end_of_period = subscription["trial_end"]
        entry |= {"current_period_start": start, "current_period_end": end_of_period}


def bill(world: World, subscription: Object, why: str, *, seats: bool = True) -> None:
    """Invoices the customer's waiting items and, if `seats`, the current period; charges the invoice at once."""
    customer = world.find("customer", subscription["customer"])
    waiting = invoicing.waiting(world, customer, subscription["currency"])
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    invoice = invoicing.draft(
        world,
        customer,
        subscription["currency"],
        waiting,
        auto_advance=True,
        billing_reason=why,
        parent={"type": "subscription_details", "subscription_details": details, "quote_details": None},
    )
    if seats:
        entries = subscription["items"]["data"]
        invoice["lines"]["data"] += [line_for_seats(world, subscription, entry, invoice) for entry in entries]
    total(invoice)
    world.emit("invoice.created", invoice)
    subscription["latest_invoice"] = invoice["id"]
    invoicing.finalize(world, invoice)
    if invoice["status"] != "paid" and subscription["status"] not in {"trialing", "canceled"}:
        subscription["status"] = "incomplete" if why == "subscription_create" else "past_due"


def begin_period(world: World, subscription: Object, start: int) -> None:
    """Begins the next period, ends a trial, and bills the period."""
    if subscription["status"] == "trialing":
        subscription |= {"status": "active", "trial_end": start, "billing_cycle_anchor": start}
    set_period(subscription, start)
    bill(world, subscription, "subscription_cycle")


def end(world: World, subscription: Object) -> None:
    """Ends the subscription now."""
    now = world.now()
    subscription |= {"status": "canceled", "ended_at": now, "canceled_at": subscription["canceled_at"] or now}
    subscription["cancellation_details"] = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    world.emit("customer.subscription.deleted", subscription)


def catch_up(world: World) -> None:
    """Does all that is due by the clock."""
    for subscription in world.every("subscription"):
        while subscription["status"] in {"trialing", "active", "past_due"}:
            due = subscription["items"]["data"][0]["current_period_end"]
            if due > world.now():
                break
            if subscription["cancel_at_period_end"]:
                end(world, subscription)
                break
            before = {"status": subscription["status"]}
            begin_period(world, subscription, due)
            world.emit("customer.subscription.updated", subscription, before)
