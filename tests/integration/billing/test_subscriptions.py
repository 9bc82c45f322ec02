"""From checkout to the end: a subscription at Stripe becomes the organisation's plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aichat_server.billing.service.billing import Billing
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.payments.domain.billing import SubscriptionStatus
from aichat_server.plans.domain import Plan

from tests.integration.billing.desk import DONE, GRACE, LEFT, MONTH_SECONDS, Desk


async def refusal(call: object) -> Reason:
    with pytest.raises(AichatError) as raised:
        await call  # type: ignore[misc]
    return raised.value.reason


async def test_checkout_gives_the_plan_and_free_follows_when_the_paid_period_ends(desk: Desk) -> None:
    key = await desk.subscribe("pro")
    assert await desk.plan() is Plan.FREE
    await desk.hear()
    assert await desk.plan() is Plan.PRO
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.subscription is not None
    assert (standing.subscription.subscription_id, standing.subscription.plan) == (key, Plan.PRO)
    assert standing.payment_method is not None
    assert standing.payment_method.last_digits == "4242"
    bought = await desk.sdk.v1.subscriptions.retrieve_async(key)
    assert (bought["items"].data[0].price.unit_amount, bought["items"].data[0].price.lookup_key) == (
        2000,
        "aichat-pro-20",
    )

    # The portal ends subscriptions in the same way.
    ending = await desk.billing.change_plan(desk.owner, "free")
    assert ending.plan is Plan.PRO
    assert ending.subscription is not None
    assert ending.subscription.cancel_at_period_end
    await desk.stripe.advance(MONTH_SECONDS)
    await desk.hear()
    assert await desk.plan() is Plan.FREE
    periods = await desk.periods()
    assert [plan for plan, _, _ in periods] == ["free", "pro", "free"]
    assert [end for _, _, end in periods] == [start for _, start, _ in periods[1:]] + [None]


async def test_a_change_to_the_current_plan_undoes_its_end(desk: Desk) -> None:
    await desk.subscribe("pro")
    await desk.hear()
    await desk.billing.change_plan(desk.owner, "free")
    standing = await desk.billing.change_plan(desk.owner, "pro")
    assert standing.subscription is not None
    assert not standing.subscription.cancel_at_period_end


async def test_a_change_between_paid_plans_holds_at_once_and_is_prorated(desk: Desk) -> None:
    key = await desk.subscribe("pro")
    # Beyond the trial, so that something is paid.
    await desk.stripe.advance(15 * 86_400)
    await desk.hear()
    assert (await desk.billing.change_plan(desk.owner, "team")).plan is Plan.TEAM
    assert await desk.plan() is Plan.TEAM
    items = await desk.sdk.v1.invoice_items.list_async({"customer": await desk.customer_id(), "pending": True})
    amounts = sorted(item.amount for item in items.data)
    assert amounts[0] < 0 < amounts[1]
    assert all(item.proration for item in items.data)
    bought = await desk.sdk.v1.subscriptions.retrieve_async(key)
    assert bought["items"].data[0].price.unit_amount == 3000

    assert (await desk.billing.change_plan(desk.owner, "pro")).plan is Plan.PRO
    assert [plan for plan, _, _ in await desk.periods()] == ["free", "pro", "team", "pro"]


async def test_only_the_first_subscription_begins_with_a_trial(desk: Desk) -> None:
    await desk.subscribe("pro")
    await desk.hear()
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.subscription is not None
    assert standing.subscription.status is SubscriptionStatus.TRIALING
    assert standing.subscription.trial_end is not None
    await desk.payments.customers.cancel_subscription(standing.subscription.subscription_id, at_period_end=False)
    await desk.hear()
    assert await desk.plan() is Plan.FREE

    await desk.subscribe("team")
    await desk.hear()
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.subscription is not None
    assert (standing.plan, standing.subscription.status) == (Plan.TEAM, SubscriptionStatus.ACTIVE)
    assert standing.subscription.trial_end is None


async def test_past_due_lasts_for_the_grace_then_free_and_paid_restores(desk: Desk) -> None:
    key = await desk.subscribe("pro", card="pm_card_chargeCustomerFail")
    await desk.hear()
    assert await desk.plan() is Plan.PRO
    await desk.stripe.advance(15 * 86_400)
    await desk.hear()
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.plan is Plan.PRO
    assert standing.subscription is not None
    assert standing.subscription.status is SubscriptionStatus.PAST_DUE
    assert standing.grace_ends_at is not None
    assert timedelta(0) < standing.grace_ends_at - datetime.now(UTC) <= GRACE

    sync, end = desk.payments.subscriptions, standing.grace_ends_at
    await sync.end_graces(end - timedelta(seconds=1))
    assert await desk.plan() is Plan.PRO
    await sync.end_graces(end)
    assert await desk.plan() is Plan.FREE
    periods = await desk.periods()
    await sync.end_graces(end + timedelta(days=1))
    assert await desk.periods() == periods

    behind = await desk.sdk.v1.subscriptions.retrieve_async(key)
    method = await desk.sdk.v1.payment_methods.attach_async("pm_card_visa", {"customer": await desk.customer_id()})
    await desk.sdk.v1.invoices.pay_async(str(behind.latest_invoice), {"payment_method": method.id})
    await desk.hear()
    standing = await desk.billing.get_standing(desk.owner)
    assert (standing.plan, standing.grace_ends_at) == (Plan.PRO, None)
    # The expired grace period no longer ends the plan.
    await sync.end_graces(end + timedelta(days=30))
    assert await desk.plan() is Plan.PRO


async def test_a_seat_for_each_member(desk: Desk) -> None:
    await desk.add_member()
    assert await refusal(desk.billing.open_checkout(desk.owner, "pro", success_url=DONE, cancel_url=LEFT)) is (
        Reason.SEATS_EXCEEDED
    )
    await desk.subscribe("team")
    await desk.hear()
    await desk.add_member()
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.subscription is not None
    assert (standing.members, standing.subscription.seats) == (3, 2)
    assert await refusal(desk.billing.change_plan(desk.owner, "pro")) is Reason.SEATS_EXCEEDED
    changed = await desk.billing.change_plan(desk.owner, "team")
    assert changed.subscription is not None
    assert changed.subscription.seats == 3


async def test_owners_alone_change_billing_and_each_refusal_says_why(desk: Desk) -> None:
    member, billing = await desk.add_member(), desk.billing
    assert (await billing.get_standing(member)).plan is Plan.FREE
    for call in (
        billing.open_checkout(member, "team", success_url=DONE, cancel_url=LEFT),
        billing.open_portal(member, return_url=DONE),
        billing.change_plan(member, "free"),
        billing.list_invoices(member, 10, None),
    ):
        assert await refusal(call) is Reason.OWNER_REQUIRED
    owner = desk.owner
    for plan in ("free", "gold", ""):
        asked = billing.open_checkout(owner, plan, success_url=DONE, cancel_url=LEFT)
        assert await refusal(asked) is Reason.PLAN_UNKNOWN
    assert await refusal(billing.change_plan(owner, "gold")) is Reason.PLAN_UNKNOWN
    assert await refusal(billing.change_plan(owner, "team")) is Reason.SUBSCRIPTION_MISSING
    assert await refusal(billing.open_portal(owner, return_url=DONE)) is Reason.SUBSCRIPTION_MISSING
    assert (await billing.list_invoices(owner, 10, None)).invoices == ()
    await desk.subscribe("team")
    await desk.hear()
    asked = billing.open_checkout(owner, "team", success_url=DONE, cancel_url=LEFT)
    assert await refusal(asked) is Reason.SUBSCRIPTION_EXISTS
    assert (await billing.open_portal(owner, return_url=DONE)).startswith("http")


async def test_without_a_payment_provider_plans_are_shown_and_nothing_is_sold(desk: Desk) -> None:
    billing, owner = Billing(desk.database, desk.billing.plans, None, GRACE), desk.owner
    assert [terms.plan for terms in billing.list_plans()] == list(Plan)
    assert (await billing.get_standing(owner)).subscription is None
    for call in (
        billing.open_checkout(owner, "pro", success_url=DONE, cancel_url=LEFT),
        billing.open_portal(owner, return_url=DONE),
        billing.change_plan(owner, "free"),
        billing.list_invoices(owner, 10, None),
    ):
        assert await refusal(call) is Reason.BILLING_NOT_CONFIGURED


async def test_invoices_are_listed_page_by_page_with_their_pdf(desk: Desk) -> None:
    await desk.subscribe("pro")
    await desk.stripe.advance(15 * 86_400)
    first = await desk.billing.list_invoices(desk.owner, 1, None)
    second = await desk.billing.list_invoices(desk.owner, 1, first.next_after)
    assert (first.invoices[0].total, second.invoices[0].total) == (2000, 0)
    assert second.next_after is None
    assert (first.invoices[0].pdf_url or "").startswith("http")


async def test_a_customer_who_is_deleted_at_stripe_is_on_free_and_may_come_back(desk: Desk) -> None:
    await desk.subscribe("pro")
    await desk.hear()
    gone = await desk.customer_id()
    await desk.sdk.v1.customers.delete_async(gone)
    await desk.hear()
    assert await desk.plan() is Plan.FREE
    assert await desk.customer_id() == ""
    await desk.subscribe("pro")
    await desk.hear()
    assert await desk.customer_id() not in {"", gone}
    assert await desk.plan() is Plan.PRO


async def test_a_plan_that_the_operator_gave_outlives_a_checkout_that_nobody_finishes(desk: Desk) -> None:
    async with desk.database.session(desk.owner.org_id) as session:
        await OrganizationRepository(session).set_plan(Plan.TEAM)
    await desk.billing.open_checkout(desk.owner, "pro", success_url=DONE, cancel_url=LEFT)
    assert await desk.payments.subscriptions.refresh(desk.owner.org_id, datetime.now(UTC)) is None
    assert await desk.plan() is Plan.TEAM


async def test_another_organisation_keeps_its_own(desk: Desk, other_desk: Desk) -> None:
    await desk.subscribe("pro")
    await other_desk.subscribe("team")
    await desk.hear()
    assert (await desk.plan(), await other_desk.plan()) == (Plan.PRO, Plan.FREE)
    await other_desk.hear()
    assert (await desk.plan(), await other_desk.plan()) == (Plan.PRO, Plan.TEAM)
    assert await desk.customer_id() != await other_desk.customer_id()
    assert await other_desk.billing.list_invoices(other_desk.owner, 10, None) != await desk.billing.list_invoices(
        desk.owner, 10, None
    )
