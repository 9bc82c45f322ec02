"""The real stripe-python with the stand-in."""

from __future__ import annotations

import httpx
import pytest
import stripe as sdk

from tests.fixtures.stripe import SECRET_KEY, Stripe
from tests.integration.payments.asking import open_shop, paid_invoice, subscribe

DAY = 24 * 3600


def entry(subscription: sdk.Subscription) -> sdk.SubscriptionItem:
    found: sdk.SubscriptionItem = subscription["items"].data[0]
    return found


async def test_customers_change_and_leave_a_trace_when_deleted(stripe_sdk: sdk.StripeClient) -> None:
    customers = stripe_sdk.v1.customers
    made = await customers.create_async({"name": "Ada", "metadata": {"a": "1", "b": "2"}})
    changed = await customers.update_async(made.id, {"email": "a@example.com", "metadata": {"a": "", "c": "3"}})
    assert (changed.name, changed.email) == ("Ada", "a@example.com")
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert (await customers.delete_async(made.id)).deleted
    assert (await customers.retrieve_async(made.id)).deleted
    with pytest.raises(sdk.InvalidRequestError):
        await customers.update_async(made.id, {"name": "Bob"})
    assert made.id not in [one.id for one in (await customers.list_async({"limit": 100})).data]


async def test_lists_come_in_pages_the_newest_first(stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    items = stripe_sdk.v1.invoice_items
    made = [
        (await items.create_async({"customer": shop.customer, "amount": amount, "currency": "usd"})).id
        for amount in range(1, 6)
    ]
    first = await items.list_async({"customer": shop.customer, "limit": 2})
    assert ([one.id for one in first.data], first.has_more) == ([made[4], made[3]], True)
    every = [one.id async for one in first.auto_paging_iter()]
    assert every == made[::-1]
    back = await items.list_async({"customer": shop.customer, "limit": 2, "ending_before": made[0]})
    assert [one.id for one in back.data] == [made[2], made[1]]


async def test_errors_have_stripes_kinds_and_statuses(stripe: Stripe, stripe_sdk: sdk.StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as missing:
        await stripe_sdk.v1.customers.retrieve_async("cus_nobody")
    assert (missing.value.http_status, missing.value.code, missing.value.param) == (404, "resource_missing", "id")
    assert missing.value.request_id
    with pytest.raises(sdk.InvalidRequestError) as named:
        await stripe_sdk.v1.invoices.create_async({"customer": "cus_nobody"})
    assert (named.value.http_status, named.value.param) == (400, "customer")
    with pytest.raises(sdk.InvalidRequestError) as unknown:
        await stripe_sdk.raw_request_async("post", "/v1/customers", nickname="A")
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "nickname")
    await stripe.fail("/v1/customers", how="status", status=429)
    with pytest.raises(sdk.RateLimitError):
        await stripe_sdk.v1.customers.create_async()
    with pytest.raises(sdk.InvalidRequestError, match="Unrecognized request URL"):
        await stripe_sdk.v1.coupons.create_async({"percent_off": 5})


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer sk_live_1"}, {"authorization": "Basic x"}])
async def test_who_has_no_test_key_is_refused(stripe: Stripe, headers: dict[str, str]) -> None:
    response = await stripe.http.get("/v1/customers", headers=headers)
    assert (response.status_code, response.json()["error"]["type"]) == (401, "invalid_request_error")
    assert response.headers["request-id"].startswith("req_")


async def test_the_version_is_the_callers(stripe: Stripe) -> None:
    headers = {"authorization": f"Bearer {SECRET_KEY}", "stripe-version": "2026-01-01.early"}
    assert (await stripe.http.get("/v1/events", headers=headers)).headers["stripe-version"] == "2026-01-01.early"


async def test_who_pays_on_the_checkouts_page_is_subscribed(stripe: Stripe, stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    key = await subscribe(stripe_sdk, stripe, shop, seats=3)
    found = await stripe_sdk.v1.subscriptions.retrieve_async(key, {"expand": ["latest_invoice.payments", "customer"]})
    assert isinstance(found.latest_invoice, sdk.Invoice)
    assert isinstance(found.customer, sdk.Customer)
    assert (found.status, found.latest_invoice.status, found.latest_invoice.total) == ("active", "paid", 3000)
    assert found.latest_invoice.payments is not None
    assert [one.amount_paid for one in found.latest_invoice.payments.data] == [3000]


async def test_a_person_can_pay_on_the_page(stripe: Stripe, stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    session = await stripe_sdk.v1.checkout.sessions.create_async(
        {
            "mode": "subscription",
            "line_items": [{"price": shop.small, "quantity": 1}],
            "success_url": "https://example.com/done?session={CHECKOUT_SESSION_ID}",
        }
    )
    assert session.url
    async with httpx.AsyncClient() as browser:
        assert "10.00 USD" in (await browser.get(session.url)).text
        declined = await browser.post(session.url, data={"card": "pm_card_chargeCustomerFail"})
        assert "declined" in declined.text
        paid = await browser.post(session.url, data={"card": "pm_card_visa"})
    assert paid.headers["location"] == f"https://example.com/done?session={session.id}"
    assert (await stripe_sdk.v1.checkout.sessions.retrieve_async(session.id)).status == "complete"


async def test_another_price_is_prorated_on_the_next_invoice(stripe: Stripe, stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    key = await subscribe(stripe_sdk, stripe, shop)
    subscriptions = stripe_sdk.v1.subscriptions
    before = await subscriptions.retrieve_async(key)
    changed = await subscriptions.update_async(key, {"items": [{"id": entry(before).id, "price": shop.large}]})
    assert entry(changed).price.id == shop.large
    waiting = await stripe_sdk.v1.invoice_items.list_async({"customer": shop.customer, "pending": True})
    # At the very beginning of a period, all of it is left.
    assert sorted(item.amount for item in waiting.data) == pytest.approx([-1000, 3000], abs=1)
    assert all(item.proration for item in waiting.data)
    await stripe.advance(32 * DAY)
    renewed = await subscriptions.retrieve_async(key, {"expand": ["latest_invoice"]})
    assert isinstance(renewed.latest_invoice, sdk.Invoice)
    assert renewed.status == "active"
    assert renewed.latest_invoice.total == pytest.approx(5000, abs=2)
    assert entry(renewed).current_period_start == entry(before).current_period_end


async def test_a_trial_ends_and_a_bad_card_leaves_the_subscription_behind(
    stripe: Stripe, stripe_sdk: sdk.StripeClient
) -> None:
    shop = await open_shop(stripe_sdk)
    key = await subscribe(stripe_sdk, stripe, shop, trial_days=7, card="pm_card_chargeCustomerFail")
    subscriptions = stripe_sdk.v1.subscriptions
    assert (await subscriptions.retrieve_async(key)).status == "trialing"
    await stripe.advance(8 * DAY)
    behind = await subscriptions.retrieve_async(key)
    assert behind.status == "past_due"
    assert isinstance(behind.latest_invoice, str)
    with pytest.raises(sdk.CardError) as declined:
        await stripe_sdk.v1.invoices.pay_async(behind.latest_invoice)
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    await stripe_sdk.v1.invoices.pay_async(behind.latest_invoice, {"payment_method": "pm_card_visa"})
    assert (await subscriptions.retrieve_async(key)).status == "active"
    kinds = {event.type for event in (await stripe_sdk.v1.events.list_async({"limit": 100})).data}
    assert {"invoice.payment_failed", "invoice.paid", "customer.subscription.updated"} <= kinds


async def test_a_subscription_ends_at_its_periods_end_or_at_once(stripe: Stripe, stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    subscriptions = stripe_sdk.v1.subscriptions
    later, now = [await subscribe(stripe_sdk, stripe, shop) for _ in range(2)]
    await subscriptions.update_async(later, {"cancel_at_period_end": True})
    assert (await subscriptions.cancel_async(now)).status == "canceled"
    assert (await subscriptions.retrieve_async(later)).status == "active"
    await stripe.advance(32 * DAY)
    assert (await subscriptions.retrieve_async(later)).status == "canceled"
    assert (await subscriptions.list_async({"customer": shop.customer})).data == []


async def test_an_invoice_goes_from_draft_to_void(stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    invoices, items = stripe_sdk.v1.invoices, stripe_sdk.v1.invoice_items
    draft = await invoices.create_async({"customer": shop.customer})
    item = await items.create_async(
        {"customer": shop.customer, "invoice": draft.id, "amount": 500, "currency": "usd", "description": "a"}
    )
    await items.update_async(item.id, {"amount": 700})
    fixed = await invoices.finalize_invoice_async(draft.id)
    assert (fixed.status, fixed.total, fixed.amount_remaining) == ("open", 700, 700)
    assert fixed.number
    assert fixed.hosted_invoice_url
    assert fixed.invoice_pdf
    async with httpx.AsyncClient() as browser:
        assert "7.00 USD" in (await browser.get(fixed.hosted_invoice_url)).text
        assert (await browser.get(fixed.invoice_pdf)).content.startswith(b"%PDF-")
    for refused in (items.delete_async(item.id), invoices.delete_async(draft.id)):
        with pytest.raises(sdk.InvalidRequestError):
            await refused
    assert (await invoices.void_invoice_async(draft.id)).status == "void"
    with pytest.raises(sdk.InvalidRequestError):
        await invoices.pay_async(draft.id)


async def test_the_items_of_a_deleted_draft_wait_for_another_one(stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    invoices = stripe_sdk.v1.invoices
    await stripe_sdk.v1.invoice_items.create_async({"customer": shop.customer, "amount": 500, "currency": "usd"})
    assert (await invoices.create_async({"customer": shop.customer})).total == 0
    draft = await invoices.create_async({"customer": shop.customer, "pending_invoice_items_behavior": "include"})
    assert draft.total == 500
    assert (await invoices.delete_async(draft.id)).deleted
    again = await invoices.create_async({"customer": shop.customer, "pending_invoice_items_behavior": "include"})
    assert again.total == 500


async def test_a_payment_is_refunded_once(stripe_sdk: sdk.StripeClient) -> None:
    shop = await open_shop(stripe_sdk)
    invoice = await paid_invoice(stripe_sdk, shop.customer)
    assert invoice.status == "paid"
    [charge] = (await stripe_sdk.v1.charges.list_async({"customer": shop.customer})).data
    await stripe_sdk.v1.refunds.create_async({"charge": charge.id, "amount": 400})
    with pytest.raises(sdk.InvalidRequestError):
        await stripe_sdk.v1.refunds.create_async({"charge": charge.id, "amount": 700})
    await stripe_sdk.v1.credit_notes.create_async({"invoice": invoice.id, "amount": 600, "refund_amount": 600})
    refunded = await stripe_sdk.v1.charges.retrieve_async(charge.id, {"expand": ["refunds"]})
    assert (refunded.amount_refunded, refunded.refunded) == (1000, True)
    assert refunded.refunds is not None
    assert sorted(one.amount for one in refunded.refunds.data) == [400, 600]
    with pytest.raises(sdk.InvalidRequestError) as again:
        await stripe_sdk.v1.refunds.create_async({"charge": charge.id})
    assert again.value.code == "charge_already_refunded"
