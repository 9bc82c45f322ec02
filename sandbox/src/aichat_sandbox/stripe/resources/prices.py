"""Products and their prices."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import invalid, missing_parameter
from aichat_sandbox.stripe.forms import Params
from aichat_sandbox.stripe.world import Object


def create_product(call: Call) -> Object:
    """Creates a product, with a price if one is described."""
    params, world = call.params, call.world
    name = params.required("name")
    wanted = params.nested("default_price_data")
    product = world.mould(
        "product",
        active=params.flag("active", default=True),
        default_price=None,
        description=params.text("description"),
        metadata=params.metadata(),
        name=name,
        type="service",
        updated=world.now(),
    )
    if key := params.text("id"):
        product["id"] = key
    price = _price(call, wanted, product) if wanted.values else None
    world.add(product)
    if price:
        product["default_price"] = world.add(price)["id"]
        world.emit("price.created", price)
    world.emit("product.created", product)
    return product


def update_product(call: Call) -> Object:
    """Changes the given fields."""
    product, params = call.subject("product"), call.params
    changed: Object = {name: params.text(name) for name in ("name", "description") if params.given(name)}
    if params.given("default_price"):
        price = call.named("price", "default_price")
        changed["default_price"] = price["id"] if price else None
    changed |= {
        "active": params.flag("active", default=product["active"]),
        "metadata": params.metadata(product["metadata"]),
    }
    call.world.change(product, "product.updated", **changed, updated=call.world.now())
    return product


def create_price(call: Call) -> Object:
    """Creates a price of a product."""
    product = call.named("product", "product")
    if product is None:
        raise missing_parameter("product")
    price = call.world.add(_price(call, call.params, product))
    call.world.emit("price.created", price)
    return price


def _price(call: Call, params: Params, product: Object) -> Object:
    currency, amount = params.required("currency"), params.number("unit_amount")
    if amount is None:
        raise missing_parameter(params.name("unit_amount"))
    if amount < 0:
        raise invalid("Invalid non-negative integer", params.name("unit_amount"), "parameter_invalid_integer")
    recurring = params.nested("recurring")
    return call.world.mould(
        "price",
        active=True,
        billing_scheme="per_unit",
        currency=currency.lower(),
        lookup_key=params.text("lookup_key"),
        metadata=params.metadata(),
        nickname=params.text("nickname"),
        product=product["id"],
        tax_behavior="unspecified",
        recurring=_recurring(call, recurring) if recurring.values else None,
        type="recurring" if recurring.values else "one_time",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )


def _recurring(call: Call, params: Params) -> Object:
    interval = params.choice("interval", "day week month year", params.required("interval"))
    sample: Object = call.world.samples["price"]["recurring"]
    return sample | {"interval": interval, "interval_count": params.number("interval_count") or 1}


def update_price(call: Call) -> Object:
    """Changes the fields of a price that may change; its amount may not."""
    price, params = call.subject("price"), call.params
    call.world.change(
        price,
        "price.updated",
        active=params.flag("active", default=price["active"]),
        lookup_key=params.text("lookup_key") if params.given("lookup_key") else price["lookup_key"],
        metadata=params.metadata(price["metadata"]),
        nickname=params.text("nickname") if params.given("nickname") else price["nickname"],
    )
    return price


def list_prices(call: Call) -> Object:
    """Lists prices, the newest first."""
    params, where = call.params, _active(call)
    if product := params.text("product"):
        where["product"] = product
    keys = params.texts("lookup_keys")
    found = call.world.every("price", **where)
    return call.page(price for price in found if not keys or price["lookup_key"] in keys)


def list_products(call: Call) -> Object:
    """Lists products, the newest first."""
    ids = call.params.texts("ids")
    found = call.world.every("product", **_active(call))
    return call.page(product for product in found if not ids or product["id"] in ids)


def _active(call: Call) -> Object:
    return {"active": call.params.flag("active")} if call.params.text("active") else {}


ROUTES = (
    Route("POST", "/v1/products", create_product, "id name active description metadata default_price_data"),
    Route("GET", "/v1/products", list_products, f"{PAGED} active ids"),
    Route("GET", "/v1/products/{id}", lambda call: call.subject("product")),
    Route("POST", "/v1/products/{id}", update_product, "name active description metadata default_price"),
    Route(
        "POST", "/v1/prices", create_price, "currency unit_amount product recurring metadata nickname lookup_key active"
    ),
    Route("GET", "/v1/prices", list_prices, f"{PAGED} active product lookup_keys"),
    Route("GET", "/v1/prices/{id}", lambda call: call.subject("price")),
    Route("POST", "/v1/prices/{id}", update_price, "active metadata nickname lookup_key"),
)
