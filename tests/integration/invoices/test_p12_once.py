"""Promise 12: one invoice per organisation and month, whatever fails, and however often the job runs."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month
from aichat_server.invoices.domain.invoices import REFUND, AdjustmentKind, InvoiceStage, LineKind
from aichat_server.outbox.service import Outbox, Relayed

from tests.fixtures.nursery import fork
from tests.fixtures.rows import connection
from tests.fixtures.stripe import Stripe
from tests.integration.invoices.months import MARCH, USD, Shop
from tests.integration.usage.books import Entry

APRIL = month(2024, 4)
ADJUSTMENTS = "SELECT * FROM aichat.adjustments WHERE org_id = $1 ORDER BY created_at"
# Every request of an invoice with one line. Those that change something take effect before the silence.
REQUESTS = (
    ("GET", "/v1/invoices", "hang"),
    ("POST", "/v1/invoices", "mute"),
    ("GET", "/v1/invoices/in_[^/]+/lines", "hang"),
    ("POST", "/v1/invoiceitems", "mute"),
    ("GET", "/v1/invoices/in_[^/]+", "hang"),
    ("GET", "/v1/customers/[^/]+/payment_methods", "hang"),
    ("POST", "/v1/invoices/in_[^/]+", "mute"),
    ("POST", "/v1/invoices/in_[^/]+/finalize", "mute"),
)


async def assert_one(shop: Shop, total: int) -> None:
    """Asserts that there is one invoice with this total."""
    [sent] = await shop.at_stripe()
    assert (sent.status, sent.total, len(sent.lines.data)) == ("paid", total, 1)
    assert (await shop.invoice())[0].stage is InvoiceStage.PAID
    items = await shop.client.v1.invoice_items.list_async({"customer": shop.customer or ""})
    assert len(items.data) == 1


async def stuck(stripe: Stripe, method: str, path: str) -> None:
    """Waits until a request stays without an answer."""
    async with asyncio.timeout(60):
        while not any(
            entry["status"] is None and entry["method"] == method and re.fullmatch(path, entry["path"])
            for entry in await stripe.log()
        ):
            await asyncio.sleep(0.02)
    await stripe.http.delete("/_log")


@pytest.mark.parametrize(("method", "path", "how"), REQUESTS)
async def test_it_continues_from_wherever_it_stopped(
    shop: Shop, stripe: Stripe, method: str, path: str, how: str
) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    await shop.close()
    await stripe.fail(path, method=method, how=how)
    task = asyncio.create_task(shop.invoices.bring_on(shop.org_id, MARCH))
    await stuck(stripe, method, path)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await shop.invoices.bring_on(shop.org_id, MARCH)).stage is InvoiceStage.PAID
    await assert_one(shop, 1200)


async def test_a_process_killed_at_every_step_leaves_one_invoice(shop: Shop, stripe: Stripe, tmp_path: Path) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    await shop.close()
    command = ("tests.integration.invoices.one_run", shop.postgres.app_url, stripe.url, str(shop.org_id), MARCH.name)
    for method, path, how in REQUESTS:
        await stripe.fail(path, method=method, how=how)
        process = await fork(os.environ, tmp_path, *command, errors="log")
        await stuck(stripe, method, path)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
    assert (await shop.invoices.bring_on(shop.org_id, MARCH)).stage is InvoiceStage.PAID
    await assert_one(shop, 1200)


async def test_a_draft_whose_answer_was_lost_days_ago_is_found_again(shop: Shop, stripe: Stripe) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    await shop.close()
    for _, path, how in (REQUESTS[1], REQUESTS[3]):
        await stripe.fail(path, how=how)
        task = asyncio.create_task(shop.invoices.bring_on(shop.org_id, MARCH))
        await stuck(stripe, "POST", path)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # Stripe has forgotten the keys by then.
        await stripe.advance(3 * 24 * 3600)
    assert (await shop.invoices.bring_on(shop.org_id, MARCH)).stage is InvoiceStage.PAID
    await assert_one(shop, 1200)


async def test_runs_again_and_at_once_make_one_invoice(shop: Shop) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    now = datetime.now(UTC)
    await asyncio.gather(*(shop.invoices.run(MARCH, now) for _ in range(3)))
    await shop.invoices.run(MARCH, now)
    await assert_one(shop, 1200)


async def test_an_unreachable_stripe_delays_only_that_invoice(shop: Shop, stripe: Stripe, database: Database) -> None:
    other = await shop.another()
    for one in sorted((shop, other), key=lambda one: one.org_id):
        await one.use(Entry(MARCH.start, 30 * USD))
    # Each is tried four times, and both at once: one of them succeeds at its last try.
    await stripe.fail("/v1/invoiceitems", how="status", status=503, times=7)
    outcomes = {one.org_id: one for one in await shop.invoices.run(MARCH, datetime.now(UTC))}
    both = [outcomes[shop.org_id], outcomes[other.org_id]]
    assert [bool(one.trouble) for one in both].count(True) == 1
    assert InvoiceStage.PAID in {one.stage for one in both}
    await shop.invoices.run(MARCH, datetime.now(UTC))
    for one in (shop, other):
        await assert_one(one, 1200)


async def test_what_stripe_refuses_for_good_is_for_an_operator(shop: Shop) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    await shop.client.v1.customers.delete_async(shop.customer or "")
    outcome = await shop.bring_on()
    assert (outcome.stage, bool(outcome.trouble)) == (InvoiceStage.BLOCKED, True)


async def test_credits_wait_for_an_invoice_and_their_rest_for_the_next(shop: Shop) -> None:
    for amount in (-15 * USD, -1, 2 * USD):
        await shop.desk.adjust(shop.org_id, NanoUsd(amount), adjustment_id=uuid4(), reason="Sorry", actor="ops")
    assert (await shop.bring_on(month(2024, 2))).stage is InvoiceStage.SETTLED
    await shop.use(Entry(MARCH.start, 30 * USD), Entry(APRIL.start, 30 * USD))
    assert (await shop.bring_on(MARCH)).stage is InvoiceStage.SETTLED
    _, lines = await shop.invoice(MARCH)
    assert [(line.kind, line.cents) for line in lines] == [
        (LineKind.USAGE, 1200),
        (LineKind.ADJUSTMENT, -1500),
        (LineKind.ADJUSTMENT, 0),
        (LineKind.ADJUSTMENT, 200),
        (LineKind.CARRIED, 100),
    ]
    outcome = await shop.bring_on(APRIL)
    assert (outcome.stage, outcome.total) == (InvoiceStage.PAID, 1100)
    assert [one.total for one in await shop.at_stripe()] == [1100]


async def test_an_adjustment_is_made_once_and_never_changed(shop: Shop) -> None:
    key = uuid4()
    for _ in range(2):
        await shop.desk.adjust(shop.org_id, NanoUsd(USD), adjustment_id=key, reason="Setup", actor="ops")
    assert (await shop.bring_on()).total == 100
    assert [row["amount_nano_usd"] for row in await shop.rows(ADJUSTMENTS)] == [USD]
    async with connection(shop.postgres.owner_url) as owner:
        for change in ("UPDATE aichat.adjustments SET reason = 'x'", "DELETE FROM aichat.adjustments"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(change)
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute("DELETE FROM aichat.invoice_lines WHERE org_id = $1", shop.org_id)


async def test_a_restarted_invoice_applies_its_credits_once(shop: Shop) -> None:
    await shop.desk.adjust(shop.org_id, NanoUsd(-15 * USD), adjustment_id=uuid4(), reason="Sorry", actor="ops")
    await shop.use(Entry(MARCH.start, 30 * USD))
    for _ in range(2):
        assert (await shop.bring_on()).stage is InvoiceStage.SETTLED
        assert (await shop.desk.retry(shop.org_id, MARCH)).stage is InvoiceStage.SETTLED
    await shop.use(Entry(APRIL.start, 30 * USD))
    assert (await shop.bring_on(APRIL)).total == 1200 - 300


async def test_a_void_invoice_releases_its_credits_once(shop: Shop, database: Database) -> None:
    late = await shop.another("pm_card_chargeCustomerFail")
    await late.desk.adjust(late.org_id, NanoUsd(-2 * USD), adjustment_id=uuid4(), reason="Sorry", actor="ops")
    await late.use(Entry(MARCH.start, 30 * USD))
    outcome = await late.bring_on()
    assert (outcome.stage, outcome.total) == (InvoiceStage.FINALIZED, 1000)
    with pytest.raises(AichatError, match="finalized"):
        await late.desk.retry(late.org_id, MARCH)
    for _ in range(2):
        assert (await late.desk.void(late.org_id, MARCH)).stage is InvoiceStage.VOID
    returned = [row for row in await late.rows(ADJUSTMENTS) if row["kind"] == AdjustmentKind.RETURNED]
    assert [row["amount_nano_usd"] for row in returned] == [-2 * USD]
    await late.use(Entry(APRIL.start, 30 * USD))
    assert (await late.bring_on(APRIL)).total == 1000


async def test_a_later_payment_is_detected(shop: Shop, database: Database) -> None:
    late = await shop.another("pm_card_chargeCustomerFail")
    await late.use(Entry(MARCH.start, 30 * USD))
    assert (await late.bring_on()).stage is InvoiceStage.FINALIZED
    [sent] = await late.at_stripe()
    await late.client.v1.invoices.pay_async(sent.id, {"paid_out_of_band": True})
    assert (await late.bring_on()).stage is InvoiceStage.PAID


async def test_a_refund_is_in_the_books_before_it_is_paid_and_paid_once(shop: Shop, stripe: Stripe) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    await shop.bring_on()
    told: dict[str, Any] = {"adjustment_id": uuid4(), "reason": "Sorry", "actor": "ops"}
    await stripe.fail("/v1/refunds", how="status", status=503, times=4)
    with pytest.raises(AichatError) as away:
        await shop.desk.refund(shop.org_id, MARCH, 500, **told)
    assert away.value.reason is Reason.BILLING_UNAVAILABLE
    assert [entry.amount for entry in await shop.desk.unpaid_refunds(shop.org_id, MARCH)] == [-5 * USD]
    outbox = Outbox(shop.database, {REFUND: shop.desk.carry_out_refund})
    soon = datetime.now(UTC) + timedelta(seconds=10)
    assert await outbox.relay(soon) == Relayed(1, 0)
    assert await outbox.relay(soon) == Relayed(0, 0)
    assert await shop.desk.unpaid_refunds(shop.org_id, MARCH) == ()
    for _ in range(2):
        await shop.desk.refund(shop.org_id, MARCH, 500, **told)
    [charge] = (await shop.client.v1.charges.list_async({"customer": shop.customer or ""})).data
    assert charge.amount_refunded == 500
    with pytest.raises(AichatError, match="another adjustment"):
        await shop.desk.refund(shop.org_id, MARCH, 501, **told)
    # It is not a credit: it does not affect the next invoice.
    await shop.use(Entry(APRIL.start, 30 * USD))
    assert (await shop.bring_on(APRIL)).total == 1200
