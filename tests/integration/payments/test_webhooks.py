"""Webhooks as the stand-in sends them, and as the server receives them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import stripe as sdk
from aichat_sandbox.stripe.webhooks import SECRET, signature
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.gateway.stripe_calls import StripeCalls
from aichat_server.payments.gateway.stripe_events import StripeEvents, StripeWebhooks

from tests.fixtures.stripe import Endpoint, Stripe, open_sdk, run_stripe
from tests.integration.payments.asking import open_shop

WEBHOOKS = StripeWebhooks(SECRET)


async def test_each_change_is_sent_signed_and_in_order(
    stripe: Stripe, stripe_sdk: sdk.StripeClient, webhook_endpoint: Endpoint, stripe_calls: StripeCalls
) -> None:
    await stripe.control("webhook", url=webhook_endpoint.url)
    shop = await open_shop(stripe_sdk)
    await webhook_endpoint.wait(4)
    events = [WEBHOOKS.verify(body, signed) for body, signed in webhook_endpoint.taken]
    assert [event.type for event in events] == ["customer.created", "product.created", "price.created", "price.created"]
    assert events[0].object_id == shop.customer
    assert await StripeEvents(stripe_calls).fetch(events[0].id) == events[0]


async def test_a_rejected_event_is_sent_again(
    stripe: Stripe, stripe_sdk: sdk.StripeClient, webhook_endpoint: Endpoint
) -> None:
    webhook_endpoint.statuses = [500, 404]
    await stripe.control("webhook", url=webhook_endpoint.url)
    await stripe_sdk.v1.customers.create_async({})
    await webhook_endpoint.wait(3)
    assert len({WEBHOOKS.verify(*taken).id for taken in webhook_endpoint.taken}) == 1


async def test_events_come_late_twice_and_out_of_order_on_request(
    stripe: Stripe, stripe_sdk: sdk.StripeClient, webhook_endpoint: Endpoint
) -> None:
    await stripe.control("webhook", url=webhook_endpoint.url, held=True)
    made = await stripe_sdk.v1.customers.create_async({})
    await stripe_sdk.v1.customers.delete_async(made.id)
    newest = [event.id for event in (await stripe_sdk.v1.events.list_async({"limit": 2})).data]
    assert webhook_endpoint.taken == []
    sent = await stripe.control("deliver", events=[*newest, newest[0]])
    assert sent["statuses"] == [200, 200, 200]
    kinds = [WEBHOOKS.verify(*taken).type for taken in webhook_endpoint.taken]
    assert kinds == ["customer.deleted", "customer.created", "customer.deleted"]


@pytest.mark.parametrize("how", [{"age_seconds": 400}, {"secret": "whsec_of_somebody_else"}])
async def test_a_stale_or_forged_event_is_refused(
    stripe: Stripe, webhook_endpoint: Endpoint, how: dict[str, object]
) -> None:
    await stripe.control("webhook", url=webhook_endpoint.url, held=True)
    event = await stripe.control("events", type="customer.created", object={"id": "cus_1", "object": "customer"})
    await stripe.control("deliver", events=[event["id"]], **how)
    with pytest.raises(AichatError) as raised:
        WEBHOOKS.verify(*webhook_endpoint.taken[0])
    assert raised.value.reason is Reason.WEBHOOK_INVALID


async def test_an_event_of_an_unknown_type_is_an_event(stripe: Stripe, webhook_endpoint: Endpoint) -> None:
    await stripe.control("webhook", url=webhook_endpoint.url)
    await stripe.control("events", type="moon.risen", object={"id": "moon_1", "object": "moon"})
    await webhook_endpoint.wait(1)
    event = WEBHOOKS.verify(*webhook_endpoint.taken[0])
    assert (event.type, event.object_id) == ("moon.risen", "moon_1")


def signed(body: bytes) -> tuple[bytes, str]:
    return body, signature(body, SECRET, int(time.time()))


EVENT = {"id": "evt_1", "object": "event", "type": "a.b", "created": 1, "data": {"object": {"id": "x"}}}


def test_an_event_of_something_without_an_id_is_an_event() -> None:
    told = {**EVENT, "type": "balance.available", "data": {"object": {"object": "balance"}}}
    assert WEBHOOKS.verify(*signed(json.dumps(told).encode())).type == "balance.available"


@pytest.mark.parametrize(
    "taken",
    [
        (b"{}", None),
        (b"{}", ""),
        (b"{}", "t=1"),
        (b"{}", "t=a,v1=b"),
        (b"{}", "t=1,v1=\u00e9"),
        (b"\xff", "t=1,v1=a"),
        (json.dumps(EVENT).encode(), signature(json.dumps(EVENT, indent=1).encode(), SECRET, int(time.time()))),
        signed(b"no json"),
        signed(b"[]"),
        signed(b"{}"),
        signed(json.dumps({**EVENT, "object": "v2.core.event"}).encode()),
        signed(json.dumps({**EVENT, "id": 1}).encode()),
        signed(json.dumps({**EVENT, "created": "now"}).encode()),
        signed(json.dumps({**EVENT, "created": 10**30}).encode()),
        signed(json.dumps({**EVENT, "created": float("inf")}).encode()),
        signed(json.dumps({**EVENT, "created": float("nan")}).encode()),
        signed(json.dumps({**EVENT, "created": []}).encode()),
        signed(json.dumps({**EVENT, "data": []}).encode()),
        signed(json.dumps({**EVENT, "data": {"object": "x"}}).encode()),
        signed(json.dumps({**EVENT, "data": {"object": {"id": 7}}}).encode()),
        signed(json.dumps({**EVENT, "data": {"object": {"id": "half \ud800"}}}).encode()),
        signed(json.dumps({**EVENT, "id": "evt_\ud800"}).encode()),
        signed(json.dumps({**EVENT, "id": "evt_\0"}).encode()),
        signed(json.dumps({**EVENT, "id": "evt_" + "x" * 4000}).encode()),
        signed(json.dumps({**EVENT, "id": ""}).encode()),
        signed(json.dumps({**EVENT, "type": {"a": "b"}}).encode()),
        signed(json.dumps({**EVENT, "type": "customer.deleted", "data": {"object": {}}}).encode()),
        signed(b"[" * 5000),
        signed(b'{"a":' * 5000),
        signed(b'{"id": ' + b"1" * 5000 + b"}"),
    ],
)
def test_anything_but_a_signed_event_is_refused(taken: tuple[bytes, str | None]) -> None:
    assert WEBHOOKS.verify(*signed(json.dumps(EVENT).encode())).id == "evt_1"
    with pytest.raises(AichatError) as raised:
        WEBHOOKS.verify(*taken)
    assert raised.value.reason is Reason.WEBHOOK_INVALID
    assert SECRET not in f"{raised.value}{raised.value.__cause__!r}{WEBHOOKS!r}"


async def test_a_restart_keeps_objects_keys_and_events(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "state.json"))
    async with run_stripe(tmp_path, *arguments) as first, open_sdk(first.url) as client:
        made = await client.v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "k"})
    async with run_stripe(tmp_path, *arguments) as second, open_sdk(second.url) as client:
        again = await client.v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "k"})
        [event] = (await client.v1.events.list_async()).data
    assert again.id == made.id
    assert event.data.object["id"] == made.id
