"""Customers."""

from __future__ import annotations

import secrets

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.world import Object

from . import cards
from .invoices import delete_draft
from .renewals import end

_TEXTS = ("name", "email", "phone", "description")
_TAKES = "name email phone description metadata address invoice_settings"


def create(call: Call) -> Object:
    """Creates a customer."""
    return make(call)


def make(call: Call, **fields: object) -> Object:
    """Creates a customer with the parameters of the call and `fields`."""
    world, params = call.world, call.params
    customer = world.mould(
        "customer",
        address=_address(call),
        balance=0,
        delinquent=False,
        invoice_prefix=secrets.token_hex(4).upper(),
        invoice_settings=world.samples["customer"]["invoice_settings"] | {"default_payment_method": None},
        next_invoice_sequence=1,
        tax_exempt="none",
        metadata=params.metadata(),
    )
    customer |= {name: params.text(name) for name in _TEXTS} | fields
    world.add(customer)
    world.emit("customer.created", customer)
    return customer


def update(call: Call) -> Object:
    """Changes the given fields."""
    customer = call.subject("customer")
    changed: Object = {name: call.params.text(name) for name in _TEXTS if call.params.given(name)}
    if call.params.given("address"):
        changed["address"] = _address(call)
    changed["invoice_settings"] = _invoice_settings(call, customer)
    changed["metadata"] = call.params.metadata(customer["metadata"])
    call.world.change(customer, "customer.updated", **changed)
    return customer


def delete(call: Call) -> Object:
    """Deletes a customer with all its objects; its payments stay."""
    customer, world = call.subject("customer"), call.world
    for subscription in world.every("subscription", customer=customer["id"]):
        if subscription["status"] != "canceled":
            end(world, subscription)
    for invoice in world.every("invoice", customer=customer["id"], status="draft"):
        delete_draft(world, invoice)
    for item in world.every("invoiceitem", customer=customer["id"], invoice=None):
        world.remove(item)
    gone = world.remove(customer, tombstone=True)
    world.emit("customer.deleted", customer)
    return gone


def _address(call: Call) -> Object | None:
    given = call.params.nested("address")
    names = ("city", "country", "line1", "line2", "postal_code", "state")
    return {name: given.text(name) for name in names} if given.values else None


def _invoice_settings(call: Call, customer: Object) -> Object:
    given, before = call.params.nested("invoice_settings"), customer["invoice_settings"]
    if not given.given("default_payment_method"):
        return dict(before)
    method = cards.of_customer(call, given, "default_payment_method", customer)
    return {**before, "default_payment_method": method["id"] if method else None}


def list_all(call: Call) -> Object:
    """Lists customers, the newest first."""
    email = call.params.text("email")
    return call.page(call.world.every("customer", **({"email": email} if email else {})))


ROUTES = (
    Route("POST", "/v1/customers", create, _TAKES),
    Route("GET", "/v1/customers", list_all, f"{PAGED} email"),
    Route("GET", "/v1/customers/{id}", lambda call: call.subject("customer", deleted=True)),
    Route("POST", "/v1/customers/{id}", update, _TAKES),
    Route("DELETE", "/v1/customers/{id}", delete),
)
