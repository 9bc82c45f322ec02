"""Subscriptions."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import CallFailedError, invalid, missing_parameter, refused
from aichat_sandbox.stripe.forms import Params
from aichat_sandbox.stripe.world import Object, World, listed

from . import cards, invoice_items
from .lines import pricing_of
from .periods import part_left
from .renewals import begin_period, bill, end, entry_of, set_period

_TRIAL = "trial_period_days trial_end"
_CREATE = (
    f"customer items metadata default_payment_method collection_method payment_behavior proration_behavior {_TRIAL} "
    "description cancel_at_period_end"
)
_UPDATE = f"items metadata default_payment_method proration_behavior payment_behavior cancel_at_period_end {_TRIAL}"


def create(call: Call) -> Object:
    """Creates a subscription and bills its first period."""
    customer = call.named("customer", "customer")
    if customer is None:
        raise missing_parameter("customer")
    return begin(call, customer, call.params, call.params.each("items"))


def begin(call: Call, customer: Object, params: Params, wanted: list[Params], method: Object | None = None) -> Object:
    """Creates a subscription of the customer to the prices in `wanted`."""
    world, now = call.world, call.world.now()
    if not wanted:
        raise missing_parameter(params.name("items"))
    trial_end = _trial_end(params, now)
    chosen = method or cards.of_customer(call, params, "default_payment_method", customer)
    subscription = world.mould(
        "subscription",
        "automatic_tax",
        "payment_settings",
        "invoice_settings",
        billing_cycle_anchor=trial_end or now,
        billing_mode={"type": "flexible", "flexible": {"proration_discounts": "included"}},
        cancel_at_period_end=params.flag("cancel_at_period_end"),
        cancellation_details={"comment": None, "feedback": None, "reason": None},
        collection_method="charge_automatically",
        customer=customer["id"],
        default_payment_method=chosen["id"] if chosen else None,
        description=params.text("description"),
        metadata=params.metadata(),
        start_date=now,
        status="trialing" if trial_end else "active",
        trial_end=trial_end,
        trial_start=now if trial_end else None,
    )
    subscription["payment_settings"] = dict.fromkeys(subscription["payment_settings"])
    entries = [entry_of(world, subscription, _price(world, one), one) for one in wanted]
    subscription["currency"] = entries[0]["price"]["currency"]
    subscription["items"] = listed(entries, f"/v1/subscription_items?subscription={subscription['id']}")
    set_period(subscription, now)
    world.add(subscription)
    bill(world, subscription, "subscription_create")
    if params.text("payment_behavior") == "error_if_incomplete" and subscription["status"] == "incomplete":
        world.remove(subscription)
        raise CallFailedError(402, "Your card was declined.", kind="card_error", code="card_declined")
    world.emit("customer.subscription.created", subscription)
    return subscription


def _price(world: World, params: Params) -> Object:
    price = world.named("price", params.required("price"), params.name("price"))
    if price["type"] != "recurring":
        raise invalid("The price specified is set to `type=one_time`.", params.name("price"))
    return price


def _trial_end(params: Params, now: int) -> int | None:
    days, moment = params.number("trial_period_days"), params.text("trial_end")
    if days:
        return now + days * 86_400
    return None if moment in {None, "now"} else params.number("trial_end")


def update(call: Call) -> Object:
    """Changes the given fields; prorates the current period if price or seats change."""
    subscription, params, world = call.subject("subscription"), call.params, call.world
    if subscription["status"] == "canceled":
        raise refused("A canceled subscription can only update its cancellation_details and metadata.")
    before = {name: subscription[name] for name in ("items", "status")}
    if "items" in params.values:
        behavior = params.choice("proration_behavior", "create_prorations none always_invoice", "create_prorations")
        subscription["items"] = before["items"] | {"data": _changed_items(call, subscription, behavior)}
        if behavior == "always_invoice":
            bill(world, subscription, "subscription_update", seats=False)
    if params.text("trial_end") == "now" and subscription["status"] == "trialing":
        begin_period(world, subscription, world.now())
    changed: Object = {"metadata": params.metadata(subscription["metadata"])}
    if params.given("cancel_at_period_end"):
        stops = params.flag("cancel_at_period_end")
        when = subscription["items"]["data"][0]["current_period_end"]
        changed |= {"cancel_at_period_end": stops, "cancel_at": when if stops else None}
        changed["canceled_at"] = world.now() if stops else None
    if params.given("default_payment_method"):
        customer = world.find("customer", subscription["customer"])
        method = cards.of_customer(call, params, "default_payment_method", customer)
        changed["default_payment_method"] = method["id"] if method else None
    previous = {name: value for name, value in before.items() if subscription[name] != value}
    previous |= {name: subscription[name] for name, value in changed.items() if subscription[name] != value}
    world.change(subscription, None, **changed)
    if previous:
        world.emit("customer.subscription.updated", subscription, previous)
    return subscription


def _changed_items(call: Call, subscription: Object, behavior: str) -> list[Object]:
    entries = {entry["id"]: entry for entry in subscription["items"]["data"]}
    for one in call.params.each("items"):
        key = one.text("id")
        if key is None:
            raise invalid("The stand-in changes items only by their id.", one.name("id"))
        if key not in entries:
            raise refused(f"No such subscription_item: '{key}'", "resource_missing", one.name("id"))
        old = entries[key]
        price = _price(call.world, one) if one.text("price") else old["price"]
        if price["recurring"] != old["price"]["recurring"] or price["currency"] != old["price"]["currency"]:
            raise invalid("The stand-in changes only to prices of the same interval and currency.", one.name("price"))
        quantity = one.number("quantity")
        new = entry_of(call.world, subscription, price, one) | {"id": key, "created": old["created"]}
        new |= {"quantity": old["quantity"] if quantity is None else quantity}
        new |= {name: old[name] for name in ("current_period_start", "current_period_end")}
        if behavior != "none" and subscription["status"] != "trialing":
            _prorate(call.world, subscription, old, sign=-1)
            _prorate(call.world, subscription, new, sign=1)
        entries[key] = new
    return list(entries.values())


def _prorate(world: World, subscription: Object, entry: Object, *, sign: int) -> None:
    start, end_of_period, now = entry["current_period_start"], entry["current_period_end"], world.now()
    price = entry["price"]
    amount = sign * part_left(price["unit_amount"] * entry["quantity"], start, end_of_period, now)
    what = "Remaining" if sign > 0 else "Unused"
    invoice_items.make(
        world,
        subscription["customer"],
        amount,
        price["currency"],
        description=f"{what} time on {entry['quantity']} × {price['nickname'] or price['id']}",
        discountable=False,
        parent={"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
        period={"start": now, "end": end_of_period},
        pricing=pricing_of(price),
        proration=True,
        quantity=entry["quantity"],
        quantity_decimal=str(entry["quantity"]),
    )


def cancel(call: Call) -> Object:
    """Cancels it now."""
    subscription = call.subject("subscription")
    if subscription["status"] == "canceled":
        raise CallFailedError(404, f"No such subscription: '{call.id}'", code="resource_missing", param="id")
    if call.params.flag("prorate") and subscription["status"] != "trialing":
        for entry in subscription["items"]["data"]:
            _prorate(call.world, subscription, entry, sign=-1)
    end(call.world, subscription)
    if call.params.flag("invoice_now"):
        bill(call.world, subscription, "subscription_update", seats=False)
    return subscription


def list_all(call: Call) -> Object:
    """Lists subscriptions, the newest first; ended ones only on request."""
    params, status = call.params, call.params.text("status")
    where = {"customer": key} if (key := params.text("customer")) else {}
    price = params.text("price")
    return call.page(
        one
        for one in call.world.every("subscription", **where)
        if (status in {"all", one["status"]} or (status is None and one["status"] != "canceled"))
        and (price is None or any(entry["price"]["id"] == price for entry in one["items"]["data"]))
    )


ROUTES = (
    Route("POST", "/v1/subscriptions", create, _CREATE),
    Route("GET", "/v1/subscriptions", list_all, f"{PAGED} customer status price"),
    Route("GET", "/v1/subscriptions/{id}", lambda call: call.subject("subscription")),
    Route("POST", "/v1/subscriptions/{id}", update, _UPDATE),
    Route("DELETE", "/v1/subscriptions/{id}", cancel, "prorate invoice_now"),
)
