"""Payment methods: cards, created from Stripe's test cards."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.failures import CallFailedError, refused
from aichat_sandbox.stripe.forms import Params
from aichat_sandbox.stripe.world import Object, World

# Stripe's names for its test cards, and their last digits; 0341 can be attached, and declines every charge.
TEST_CARDS = {
    "pm_card_visa": ("visa", "4242"),
    "pm_card_mastercard": ("mastercard", "4444"),
    "pm_card_chargeCustomerFail": ("visa", "0341"),
}
DECLINED_DIGITS = "0341"


def find(world: World, key: str, param: str) -> Object:
    """Returns the payment method that a parameter names; a test card becomes a new one."""
    return make(world, key) if key in TEST_CARDS else world.named("payment_method", key, param)


def of_customer(call: Call, params: Params, name: str, customer: Object) -> Object | None:
    """Returns the payment method that a parameter names as a default; it must be attached to this customer."""
    key = params.text(name)
    if key is None:
        return None
    found = call.world.objects.get("payment_method", {}).get(key)
    if found is None or found["customer"] != customer["id"]:
        raise CallFailedError(
            400,
            f"The customer does not have a payment method with the ID {key}. The payment method must be attached to the"
            " customer.",
            code="resource_missing",
            param=params.name(name),
        )
    return found


def make(world: World, test_card: str) -> Object:
    """Creates a payment method from this test card, attached to nobody yet."""
    brand, digits = TEST_CARDS[test_card]
    method = world.mould("payment_method", "card", "billing_details", allow_redisplay="unspecified", type="card")
    method["billing_details"] = dict.fromkeys(method["billing_details"]) | {
        "address": dict.fromkeys(method["billing_details"]["address"])
    }
    method["card"] |= {"brand": brand, "display_brand": brand, "last4": digits, "generated_from": None, "wallet": None}
    return world.add(method)


def join(world: World, method: Object, customer: Object) -> None:
    """Attaches the payment method to the customer."""
    world.change(method, None, customer=customer["id"])
    world.emit("payment_method.attached", method)


def declines(method: Object) -> bool:
    """Whether its bank declines every charge."""
    return bool(method["card"]["last4"] == DECLINED_DIGITS)


def attach(call: Call) -> Object:
    """Attaches one to a customer."""
    method = find(call.world, call.id, "id")
    customer = call.world.named("customer", call.params.required("customer"), "customer")
    if method["customer"] not in {None, customer["id"]}:
        raise refused("The payment method you provided has already been attached to a customer.")
    join(call.world, method, customer)
    return method


def detach(call: Call) -> Object:
    """Detaches one from its customer."""
    method = call.subject("payment_method")
    if method["customer"] is None:
        raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    for customer in call.world.every("customer", id=method["customer"]):
        if customer["invoice_settings"]["default_payment_method"] == method["id"]:
            settings = customer["invoice_settings"] | {"default_payment_method": None}
            call.world.change(customer, "customer.updated", invoice_settings=settings)
    call.world.change(method, "payment_method.detached", customer=None)
    return method


def list_all(call: Call) -> Object:
    """Lists a customer's, the newest first."""
    customer = call.id or call.params.required("customer")
    call.world.find("customer", customer, param="customer")
    call.params.choice("type", "card", "card")
    return call.page(call.world.every("payment_method", customer=customer))


ROUTES = (
    Route("GET", "/v1/payment_methods", list_all, f"{PAGED} customer type"),
    Route("GET", "/v1/customers/{id}/payment_methods", list_all, f"{PAGED} type"),
    Route("GET", "/v1/payment_methods/{id}", lambda call: call.subject("payment_method")),
    Route("POST", "/v1/payment_methods/{id}/attach", attach, "customer"),
    Route("POST", "/v1/payment_methods/{id}/detach", detach),
)
