"""Billing through the edge: an owner subscribes with the SDK, and Stripe's webhooks arrive exactly as signed."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest
from aichat_sandbox.platform import Platform
from aichat_sandbox.stripe.webhooks import SECRET, signature
from aichat_sdk import AsyncAIChat, BillingError, NotFoundError
from aichat_sdk.types import Money, SubscriptionStatus, money_usd

from tests.e2e.calls import error_of
from tests.fixtures.platform import ALLOWED_ORIGIN
from tests.fixtures.rows import connection

PATH = "/v1/stripe/webhook"
PAGE = f"{ALLOWED_ORIGIN}/billing?done"
WAIT_SECONDS = 30


def event(kind: str = "customer.deleted", padding: int = 0) -> bytes:
    """Returns an event whose bytes a proxy could change."""
    told = {"id": f"evt_{uuid4()}", "object": "event", "type": kind, "created": 1}
    return json.dumps({**told, "data": {"object": {"id": "cus_\u00e4 \u2028"}}, "x": " " * padding}, indent=3).encode()


def headers(signed: str) -> dict[str, str]:
    return {"content-type": "application/json; charset=utf-8", "stripe-signature": signed}


async def stored(platform: Platform, key: str) -> int:
    """Returns how many stored events have this id, or are about the object with this id."""
    async with connection(platform.database_url) as owner:
        count = "SELECT count(*) FROM aichat.stripe_events WHERE event_id = $1 OR object_id = $1"
        return int(await owner.fetchval(count, key))


def usd(money: Money | None) -> Decimal:
    assert money is not None
    return money_usd(money)


async def test_a_webhook_is_taken_byte_for_byte_and_stored_once(
    platform: Platform, stranger: httpx.AsyncClient
) -> None:
    body = event(padding=500_000)
    signed = signature(body, SECRET, int(time.time()))
    for _ in range(2):
        answer = await stranger.post(PATH, content=body, headers=headers(signed))
        assert (answer.status_code, answer.json()) == (200, {})
    assert await stored(platform, json.loads(body)["id"]) == 1


@pytest.mark.parametrize("fault", ["body", "secret", "age", "header"])
async def test_what_stripe_did_not_sign_now_is_refused(
    platform: Platform, stranger: httpx.AsyncClient, fault: str
) -> None:
    body, now = event(), int(time.time())
    sent = body + b"\n" if fault == "body" else body
    signed = signature(body, "whsec_other" if fault == "secret" else SECRET, now - 600 if fault == "age" else now)
    answer = await stranger.post(
        PATH, content=sent, headers={"content-type": "application/json"} if fault == "header" else headers(signed)
    )
    assert error_of(answer)[:2] == (400, "WEBHOOK_INVALID")
    assert await stored(platform, json.loads(body)["id"]) == 0


async def test_what_is_too_large_is_refused(stranger: httpx.AsyncClient) -> None:
    body = event(padding=1 << 20)
    answer = await stranger.post(PATH, content=body, headers=headers(signature(body, SECRET, int(time.time()))))
    assert error_of(answer)[:2] == (400, "REQUEST_INVALID")


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        f"{ALLOWED_ORIGIN}.evil.example",
        ALLOWED_ORIGIN.replace("https:", "http:"),
        ALLOWED_ORIGIN.replace("https:", "javascript:"),
        "javascript:alert(1)",
        "data:text/html,x",
        "",
    ],
)
async def test_payment_pages_lead_back_to_allowed_origins_alone(http: httpx.AsyncClient, address: str) -> None:
    pages = {"success_url": PAGE, "cancel_url": PAGE}
    for path, body in (
        ("/v1/billing/checkout", {"plan": "pro", **pages, "success_url": address}),
        ("/v1/billing/checkout", {"plan": "pro", **pages, "cancel_url": address}),
        ("/v1/billing/portal", {"return_url": address}),
    ):
        assert error_of(await http.post(path, json=body))[:2] == (400, "REQUEST_INVALID")


async def test_an_owner_subscribes_and_what_becomes_of_it_is_heard_by_webhook(
    platform: Platform, free_key: str
) -> None:
    async with AsyncAIChat(api_key=free_key, endpoint=platform.grpc) as client:
        plans = {plan.plan: plan for plan in await client.billing.list_plans()}
        assert list(plans) == ["free", "pro", "team"]
        assert usd(plans["pro"].seat_price) == 20
        assert plans["free"].hard_limit
        before = await client.billing.get_subscription()
        assert (before.plan, before.subscribed_plan, before.members) == ("free", "", 1)
        assert before.status is SubscriptionStatus.UNSPECIFIED
        with pytest.raises(BillingError):
            await client.billing.create_portal_session(return_url=PAGE)
        with pytest.raises(NotFoundError):
            await client.billing.change_plan("gold")

        url = await client.billing.create_checkout_session("pro", success_url=PAGE, cancel_url=PAGE)
        session = url.rpartition("/")[2]
        async with httpx.AsyncClient(base_url=platform.stripe_url) as stripe:
            (await stripe.post(f"/_control/checkout/{session}", json={})).raise_for_status()
        async with asyncio.timeout(WAIT_SECONDS):
            while not await stored(platform, session):
                await asyncio.sleep(0.05)
        assert (await client.billing.create_portal_session(return_url=PAGE)).startswith("http")
        invoices = [invoice async for invoice in client.billing.list_invoices(page_size=1)]
        assert [usd(invoice.total) for invoice in invoices] == [0]
        assert invoices[0].pdf_url
