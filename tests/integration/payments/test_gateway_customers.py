"""Customers and subscriptions, as the server sees them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import stripe as sdk
from aichat_server.payments.domain.billing import Offer, SubscriptionState, SubscriptionStatus
from aichat_server.payments.domain.cards import Cards
from aichat_server.payments.gateway.stripe_calls import StripeCalls
from aichat_server.payments.gateway.stripe_customers import StripeCustomers

from tests.fixtures.stripe import Stripe
from tests.integration.payments.asking import keep_card, open_shop

SUCCESS, CANCEL = "https://example.com/done", "https://example.com/back"


@pytest.fixture
def customers(stripe_calls: StripeCalls) -> StripeCustomers:
    return StripeCustomers(stripe_calls)


async def subscribed(
    customers: StripeCustomers, stripe: Stripe, customer: str, price: str, *, trial_days: int = 0
) -> SubscriptionState:
    page = await customers.create_checkout(
        customer,
        Offer(price, seats=2, trial_days=trial_days),
        success_url=SUCCESS,
        cancel_url=CANCEL,
        org_id=uuid4(),
        key=str(uuid4()),
    )
    assert page.url
    assert not page.is_complete
    await stripe.complete(page.id)
    done = await customers.fetch_checkout(page.id)
    assert done.is_complete
    assert done.customer_id == customer
    assert done.subscription_id
    return await customers.fetch_subscription(done.subscription_id)


async def test_an_organisation_has_one_customer_whatever_it_is_called(
    customers: StripeCustomers, stripe_sdk: sdk.StripeClient
) -> None:
    org_id = uuid4()
    first = await customers.ensure_customer(org_id, 0, name="Ada & Co", email="ada@example.com")
    second = await customers.ensure_customer(org_id, 0, name="Ada Inc", email=None)
    assert first == second
    made = await stripe_sdk.v1.customers.retrieve_async(first)
    assert (made.name, made.email) == ("Ada Inc", None)
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"org_id": str(org_id)}
    assert await customers.ensure_customer(uuid4(), 0, name="Ada Inc", email=None) != first


async def test_a_deleted_customer_is_known_to_be(customers: StripeCustomers, stripe_sdk: sdk.StripeClient) -> None:
    customer = await customers.ensure_customer(uuid4(), 0, name="Ada", email=None)
    assert not await customers.is_deleted(customer)
    await stripe_sdk.v1.customers.delete_async(customer)
    assert await customers.is_deleted(customer)
    assert await customers.cards(customer, None) == Cards((), None, None)


async def test_a_subscription_through_the_checkout(
    customers: StripeCustomers, stripe: Stripe, stripe_sdk: sdk.StripeClient
) -> None:
    shop = await open_shop(stripe_sdk)
    trial = await subscribed(customers, stripe, shop.customer, shop.small, trial_days=14)
    assert trial.status is SubscriptionStatus.TRIALING
    assert trial.trial_end == trial.period_end
    assert trial.period_end - trial.period_start == timedelta(days=14)
    paid = await subscribed(customers, stripe, shop.customer, shop.small)
    assert (paid.status, paid.price_id, paid.seats) == (SubscriptionStatus.ACTIVE, shop.small, 2)
    assert (paid.customer_id, paid.trial_end, paid.cancel_at_period_end) == (shop.customer, None, False)
    assert set(paid.metadata) == {"org_id"}
    assert timedelta(days=28) <= paid.period_end - paid.period_start <= timedelta(days=31)


async def test_a_change_of_plan_is_prorated_and_takes_an_end_back(
    customers: StripeCustomers, stripe: Stripe, stripe_sdk: sdk.StripeClient
) -> None:
    shop = await open_shop(stripe_sdk)
    begun = await subscribed(customers, stripe, shop.customer, shop.small)
    ending = await customers.cancel_subscription(begun.id, at_period_end=True)
    assert (ending.status, ending.cancel_at_period_end) == (SubscriptionStatus.ACTIVE, True)
    changed = await customers.change_subscription(begun.id, shop.large, 5, key=str(uuid4()))
    assert (changed.price_id, changed.seats, changed.cancel_at_period_end) == (shop.large, 5, False)
    waiting = await stripe_sdk.v1.invoice_items.list_async({"customer": shop.customer, "pending": True})
    assert len(waiting.data) == 2


async def test_ending_a_subscription_is_right_however_often_it_is_asked_for(
    customers: StripeCustomers, stripe: Stripe, stripe_sdk: sdk.StripeClient
) -> None:
    shop = await open_shop(stripe_sdk)
    begun = await subscribed(customers, stripe, shop.customer, shop.small)
    await stripe.fail(f"/v1/subscriptions/{begun.id}", how="cut", method="DELETE")
    for at_period_end in (False, False, True):
        ended = await customers.cancel_subscription(begun.id, at_period_end=at_period_end)
        assert ended.status is SubscriptionStatus.CANCELED


async def test_a_checkouts_card_is_the_subscriptions_and_the_portals_the_customers(
    customers: StripeCustomers, stripe: Stripe, stripe_sdk: sdk.StripeClient
) -> None:
    shop = await open_shop(stripe_sdk)
    assert (await customers.cards(shop.customer, None)).chosen(None) is None
    bought = await subscribed(customers, stripe, shop.customer, shop.small)
    first = await customers.cards(shop.customer, bought.id)
    card = first.chosen(None)
    assert card
    assert (card.kind, card.brand, card.last_digits, card.expires_year) == ("card", "visa", "4242", 2030)
    assert (first.subscription_default, first.customer_default) == (card.id, None)

    other = await keep_card(stripe_sdk, shop.customer, "pm_card_mastercard")
    both = await customers.cards(shop.customer, bought.id)
    assert [method.id for method in both.attached] == [other, card.id]
    assert both.chosen(None) == card

    await stripe.change_card(await customers.create_portal(shop.customer, return_url=CANCEL), "pm_card_mastercard")
    changed = await customers.cards(shop.customer, bought.id)
    newest = changed.attached[0]
    assert (changed.subscription_default, changed.customer_default) == (card.id, newest.id)
    # It was chosen last, unless it was seen before and another card has become the subscription's since.
    assert (changed.chosen(None), changed.chosen(newest.id)) == (newest, card)
    await customers.set_subscription_card(bought.id, other)
    moved = (await customers.cards(shop.customer, bought.id)).chosen(newest.id)
    assert moved
    assert moved.id == other
    await stripe_sdk.v1.payment_methods.detach_async(other)
    assert (await customers.cards(shop.customer, bought.id)).chosen(newest.id) == newest


async def test_the_portal_has_an_address(customers: StripeCustomers, stripe: Stripe) -> None:
    customer = await customers.ensure_customer(uuid4(), 0, name="Ada", email=None)
    url = await customers.create_portal(customer, return_url="https://example.com/account")
    assert "https://example.com/account" in (await stripe.http.get(url)).text
    added = await stripe.http.post(url, data={"card": "pm_card_mastercard"}, follow_redirects=True)
    assert added.status_code == 200
    cards = await customers.cards(customer, None)
    assert [(card.id, card.last_digits) for card in cards.attached] == [(cards.customer_default, "4444")]
    assert (await stripe.http.post(url, data={"card": "none"})).status_code == 400


async def test_a_price_is_made_once(customers: StripeCustomers, stripe_sdk: sdk.StripeClient) -> None:
    key = f"pro-{uuid4()}"
    made = [await customers.ensure_price(key, name="Pro", amount=2000, currency="usd") for _ in range(2)]
    assert made[0] == made[1]
    price = await stripe_sdk.v1.prices.retrieve_async(made[0])
    assert (price.unit_amount, price.currency, price.recurring and price.recurring.interval) == (2000, "usd", "month")
