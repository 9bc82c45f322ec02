"""Promise 12: every webhook may arrive twice, late and out of order, and its processing may stop anywhere."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aichat_sandbox.stripe.webhooks import SECRET, signature
from aichat_server.billing.service.webhooks import ParkedWebhooks, WebhookInbox
from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.billing.storage.stripe_events import StripeEventRepository
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.webhooks import CLAIM, MOST_ATTEMPTS
from aichat_server.plans.domain import Plan

from tests.fixtures.rows import connection
from tests.integration.billing.desk import DONE, LEFT, MONTH_SECONDS, Desk, Event

HOUR = timedelta(hours=1)


def state(events: list[dict[str, Any]]) -> list[str]:
    """Returns the state of each event."""
    return ["done" if one["processed_at"] else "parked" if one["parked_at"] else "due" for one in events]


async def forge(desk: Desk, body: bytes, signed: str | None) -> Reason:
    with pytest.raises(AichatError) as raised:
        await desk.inbox.receive(body, signed)
    return raised.value.reason


async def known(desk: Desk, event_id: str) -> bool:
    """Whether the event is stored."""
    async with connection(desk.postgres.owner_url) as owner:
        return bool(await owner.fetchval("SELECT count(*) FROM aichat.stripe_events WHERE event_id = $1", event_id))


async def test_p12_an_event_is_stored_and_processed_once_however_often_it_arrives(desk: Desk) -> None:
    await desk.subscribe()
    events = await desk.events()
    await asyncio.gather(*(desk.deliver(events) for _ in range(3)))
    await desk.process()
    stored = await desk.stored()
    assert {one["type"] for one in stored} == {
        "checkout.session.completed",
        "customer.subscription.created",
        "customer.updated",
        "invoice.finalized",
        "invoice.paid",
    }
    assert set(state(stored)) == {"done"}
    periods = await desk.periods()
    await desk.deliver(events)
    assert await desk.stored() == stored
    await desk.process()
    assert await desk.periods() == periods
    assert [plan for plan, _, _ in periods] == ["free", "pro"]


async def test_p12_the_order_of_events_does_not_matter(desk: Desk) -> None:
    """Everything has happened before the first webhook arrives: each one reads the current state."""
    key = await desk.subscribe()
    await desk.payments.customers.cancel_subscription(key, at_period_end=True)
    await desk.stripe.advance(MONTH_SECONDS)
    await desk.subscribe("team")
    events = await desk.events()
    random.Random(7).shuffle(events)
    for event in events:
        await desk.deliver([event])
        await desk.process()
        assert await desk.plan() in {Plan.FREE, Plan.TEAM}
    assert await desk.plan() is Plan.TEAM
    late = [event for event in events if event["type"] == "customer.subscription.deleted"]
    assert late
    await desk.deliver([{**late[0], "id": f"{late[0]['id']}_again"}])
    await desk.process()
    assert await desk.plan() is Plan.TEAM


async def test_p12_a_state_that_was_read_earlier_is_not_stored_later(desk: Desk) -> None:
    """Of two concurrent workers, one read the subscription before it changed and stores last."""
    await desk.subscribe()
    await desk.hear()
    key = (await desk.billing.get_standing(desk.owner)).subscription
    assert key is not None
    async with desk.database.session(desk.owner.org_id) as session:
        account, seen = await BillingRepository(session).account(), await BillingRepository(session).subscription()
        assert account is not None
    await desk.payments.customers.cancel_subscription(key.subscription_id, at_period_end=False)
    await desk.hear()
    now = datetime.now(UTC)
    async with desk.database.session(desk.owner.org_id) as session:
        assert not await BillingRepository(session).take_over(
            seen, now, seen_version=account.seen_version, grace_ends_at=None
        )
    refreshed = [desk.payments.subscriptions.refresh(desk.owner.org_id, now) for _ in range(4)]
    assert {one.plan_at(now, timedelta(0)) for one in await asyncio.gather(*refreshed) if one} == {Plan.FREE}
    assert await desk.plan() is Plan.FREE


async def test_p12_concurrent_workers_process_each_event_once(desk: Desk) -> None:
    await desk.subscribe()
    await desk.deliver(await desk.events())
    await asyncio.gather(*(desk.process() for _ in range(4)))
    stored = await desk.stored()
    assert [one["attempts"] for one in stored] == [1] * len(stored)
    assert await desk.plan() is Plan.PRO


async def test_p12_forged_stale_and_foreign_webhooks_change_nothing(desk: Desk) -> None:
    await desk.subscribe()
    event = next(one for one in await desk.events() if one["type"] == "customer.subscription.created")
    body, now = json.dumps(event).encode(), int(time.time())
    for wrong in (
        signature(body, "whsec_of_somebody_else", now),
        signature(body, SECRET, now - 301),
        signature(body + b" ", SECRET, now),
        "",
        None,
    ):
        assert await forge(desk, body, wrong) is Reason.WEBHOOK_INVALID
    assert not await known(desk, event["id"])
    await desk.process()
    assert await desk.plan() is Plan.FREE


async def test_p12_types_that_need_no_action_are_accepted_and_not_stored(desk: Desk) -> None:
    await desk.billing.open_checkout(desk.owner, "pro", success_url=DONE, cancel_url=LEFT)
    [made] = [one for one in await desk.events() if one["type"] == "customer.created"]
    await desk.deliver([made, {**made, "id": "evt_moon", "type": "moon.risen"}])
    assert await desk.stored() == []


@pytest.mark.parametrize(
    ("kind", "object_id"),
    [
        ("customer.subscription.updated", "sub_unknown"),
        ("checkout.session.completed", "cs_unknown"),
        ("invoice.paid", "in_unknown"),
        ("charge.refunded", "ch_unknown"),
        ("customer.deleted", "cus_unknown"),
    ],
)
async def test_p12_events_about_missing_objects_change_nothing(desk: Desk, kind: str, object_id: str) -> None:
    event = {
        "id": f"evt_{object_id}",
        "object": "event",
        "type": kind,
        "created": 1,
        "data": {"object": {"id": object_id}},
    }
    await desk.deliver([event])
    await desk.process()
    assert state(await desk.stored()) == ["done"]
    assert await desk.plan() is Plan.FREE


async def test_p12_an_event_alone_does_not_delete_a_customer(desk: Desk) -> None:
    await desk.subscribe()
    await desk.hear()
    customer = await desk.customer_id()
    event = {"id": f"evt_{customer}", "object": "event", "type": "customer.deleted", "created": 1}
    await desk.deliver([{**event, "data": {"object": {"id": customer}}}])
    await desk.process()
    assert (await desk.customer_id(), await desk.plan()) == (customer, Plan.PRO)


async def test_p12_a_crash_between_storing_and_processing_loses_nothing(desk: Desk) -> None:
    await desk.subscribe()
    await desk.deliver(await desk.events())
    # Another process, later.
    await desk.process(timedelta(days=3))
    assert await desk.plan() is Plan.PRO


async def test_p12_an_event_whose_worker_died_is_retried(desk: Desk) -> None:
    await desk.subscribe()
    await desk.deliver(await desk.events())
    now = datetime.now(UTC)
    async with desk.database.platform_session() as session:
        while await StripeEventRepository(session).claim(now, now + CLAIM) is not None:
            pass
    assert await desk.process() == 0
    assert await desk.plan() is Plan.FREE
    await desk.process(CLAIM)
    assert await desk.plan() is Plan.PRO
    assert {one["attempts"] for one in await desk.stored()} == {2}


async def test_p12_an_outage_of_stripe_is_waited_out_however_long(desk: Desk) -> None:
    await desk.subscribe()
    await desk.deliver([next(one for one in await desk.events() if one["type"] == "checkout.session.completed")])
    event_id = (await desk.stored())[0]["event_id"]
    for attempts in (0, MOST_ATTEMPTS - 1):
        async with connection(desk.postgres.owner_url) as owner:
            change = "UPDATE aichat.stripe_events SET attempts = $2, due_at = now() WHERE event_id = $1"
            await owner.execute(change, event_id, attempts)
        await desk.stripe.fail(".*", how="status", method="GET", times=4)
        await desk.process()
        [stored] = await desk.stored()
        assert (state([stored]), stored["failure"]) == (["due"], "BILLING_UNAVAILABLE")
        assert stored["attempts"] < MOST_ATTEMPTS
        assert stored["due_at"] > datetime.now(UTC)
    await desk.process(HOUR)
    assert await desk.plan() is Plan.PRO


async def test_p12_an_event_that_ends_its_workers_is_given_up(desk: Desk) -> None:
    await desk.subscribe()
    await desk.deliver([next(one for one in await desk.events() if one["type"] == "checkout.session.completed")])
    [stored] = await desk.stored()
    async with connection(desk.postgres.owner_url) as owner:
        change = "UPDATE aichat.stripe_events SET attempts = $2 WHERE event_id = $1"
        await owner.execute(change, stored["event_id"], MOST_ATTEMPTS)
    await desk.process()
    assert state(await desk.stored()) == ["parked"]
    assert await desk.plan() is Plan.FREE


async def test_p12_an_event_that_cannot_be_processed_is_given_up_and_delays_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.subscribe()
    events = await desk.events()
    [paid] = [one for one in events if one["type"] == "invoice.paid"]
    broken = True

    async def refresh(_invoice_id: str) -> None:
        if broken:
            raise ValueError("what nobody had thought of")

    monkeypatch.setattr(desk.invoices, "refresh", refresh)
    await desk.deliver([paid])
    for attempt in range(MOST_ATTEMPTS):
        assert (await desk.stored())[0]["attempts"] == attempt
        await desk.process(attempt * HOUR)
    given_up = ParkedWebhooks(desk.database)
    [parked] = [one for one in await given_up.list() if one.event_id == paid["id"]]
    assert (parked.type, parked.failure) == ("invoice.paid", "ValueError")
    await desk.deliver([one for one in events if one["type"] == "checkout.session.completed"])
    await desk.process()
    assert await desk.plan() is Plan.PRO

    broken = False
    assert await given_up.release(paid["id"])
    assert not await given_up.release(paid["id"])
    await desk.process()
    assert set(state(await desk.stored())) == {"done"}


async def test_p12_invoices_and_refunds_are_checked_again(desk: Desk) -> None:
    await desk.subscribe()
    await desk.stripe.advance(15 * 86_400)
    await desk.hear()
    [paid, _free] = (await desk.billing.list_invoices(desk.owner, 10, None)).invoices
    assert desk.invoices.refreshed.count(paid.id) >= 2
    desk.invoices.refreshed.clear()
    await desk.payments.invoices.refund(paid.id, 500, name=f"refund {paid.id}")
    await desk.hear()
    assert desk.invoices.refreshed == [paid.id]


async def test_p12_without_a_secret_no_webhook_is_accepted(desk: Desk) -> None:
    with pytest.raises(AichatError) as raised:
        await WebhookInbox(desk.database, None).receive(b"{}", None)
    assert raised.value.reason is Reason.BILLING_NOT_CONFIGURED


async def test_p12_no_tenant_can_read_events(desk: Desk) -> None:
    await desk.subscribe()
    events: list[Event] = await desk.events()
    await desk.deliver(events)
    async with connection(desk.postgres.app_url) as app:
        for settings in ({}, {"org_id": str(desk.owner.org_id)}, {"org_id": str(desk.owner.org_id), "work_list": "on"}):
            async with app.transaction():
                for name, value in settings.items():
                    await app.execute("SELECT set_config($1, $2, true)", f"aichat.{name}", value)
                assert await app.fetchval("SELECT count(*) FROM aichat.stripe_events") == 0
                assert await app.execute("UPDATE aichat.stripe_events SET attempts = 0") == "UPDATE 0"
