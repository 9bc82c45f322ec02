"""Promise 11: the sums of ledger, hours and invoice are equal, to the nano-dollar before rounding."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID, uuid4

import pytest
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month
from aichat_server.invoices.domain.invoices import InvoiceStage, LineKind
from aichat_server.invoices.service.proofs import InvoiceProofs
from aichat_server.usage.storage.rollups import RollupRepository

from tests.fixtures.rows import connection
from tests.fixtures.stripe import Stripe
from tests.integration.invoices.months import MARCH, USD, Shop
from tests.integration.usage.books import Entry

TENTH = datetime(2024, 3, 10, 12, tzinfo=UTC)
COUNTED = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def test_usage_beyond_the_plan_is_charged_to_the_cent(shop: Shop) -> None:
    await shop.use(Entry(TENTH, 15 * USD, model="a"), Entry(TENTH, 25 * USD + 1, model="b", tokens=5))
    outcome = await shop.bring_on()
    invoice, lines = await shop.invoice()
    # 20 of 40 USD are included; the rest costs a fifth more.
    assert [(line.cost, line.included, line.cents) for line in lines] == [
        (15 * USD, 15 * USD, 0),
        (25 * USD + 1, 5 * USD, 2400),
    ]
    assert (outcome.stage, outcome.total, invoice.cost) == (InvoiceStage.PAID, 2400, 40 * USD + 1)
    [sent] = await shop.at_stripe()
    assert (sent.status, sent.total, sent.number) == ("paid", 2400, invoice.number)
    assert sent.metadata
    assert sent.metadata["month"] == "2024-03"


async def test_anybody_with_the_ledger_can_recompute_a_line(shop: Shop) -> None:
    await shop.use(*(Entry(TENTH + timedelta(minutes=at), 7 * USD + at, estimated=at == 2) for at in (3, 1, 2)))
    await shop.bring_on()
    _, [line] = await shop.invoice()
    events = await shop.rows()
    text = "".join(
        json.dumps(
            [
                (event["occurred_at"] - EPOCH) // timedelta(microseconds=1),
                str(event["generation_id"]),
                str(event["member_id"]),
                event["provider"],
                event["model"],
                (event["price_version"] - EPOCH) // timedelta(microseconds=1),
                *(event[f"{kind}_tokens"] for kind in COUNTED),
                event["web_searches"],
                event["quality"] == "estimated",
                event["cost_nano_usd"],
            ],
            separators=(",", ":"),
        )
        + "\n"
        for event in events
    )
    assert line.hash == hashlib.sha256(text.encode()).hexdigest()
    assert line.events
    assert (line.events.count, line.events.first_id, line.events.last_id) == (
        3,
        events[0]["generation_id"],
        events[-1]["generation_id"],
    )
    # 21 USD and 6 nano-dollars, less 20 USD, and a fifth more: rounded once.
    assert line.cents == round(Fraction(1 * USD + 6) * Fraction(12, 10) / 10_000_000) == 120


async def test_members_share_lines_where_there_are_too_many(shop: Shop) -> None:
    entries = [Entry(TENTH, 1_000_000 + at, member=UUID(int=at), model=f"m{at % 3}") for at in range(300)]
    await shop.use(Entry(TENTH, 20 * USD, model="m0"), *entries)
    outcome = await shop.bring_on()
    _, lines = await shop.invoice()
    assert [line.subject.model for line in lines] == ["m0", "m1", "m2"]
    assert {line.subject.member_id for line in lines} == {None}
    assert sum(line.cost for line in lines) == 20 * USD + sum(entry.cost for entry in entries)
    assert outcome.stage is InvoiceStage.PAID


async def test_more_lines_than_a_page_are_compared(shop: Shop) -> None:
    await shop.use(*(Entry(TENTH, USD, member=UUID(int=at)) for at in range(70)))
    for at in range(40):
        await shop.desk.adjust(shop.org_id, NanoUsd(-USD), adjustment_id=uuid4(), reason=f"Sorry {at}", actor="ops")
    outcome = await shop.bring_on()
    _, lines = await shop.invoice()
    assert len(lines) == 110
    assert (outcome.stage, outcome.total) == (InvoiceStage.PAID, 50 * 120 - 40 * 100)


async def test_a_sum_that_differs_blocks_only_that_invoice(shop: Shop, database: Database) -> None:
    other = await shop.another()
    for one in (shop, other):
        await one.use(Entry(TENTH, 30 * USD))
        await one.close()
    async with connection(shop.postgres.owner_url) as owner:
        await owner.execute(
            "UPDATE aichat.usage_hourly SET cost_nano_usd = cost_nano_usd + 1 WHERE org_id = $1", shop.org_id
        )
    outcomes = {
        one.org_id: one for one in await shop.invoices.run(MARCH, datetime.now(UTC)) if one.org_id in _ids(shop, other)
    }
    assert outcomes[shop.org_id].stage is InvoiceStage.BLOCKED
    assert "hourly sums" in (outcomes[shop.org_id].trouble or "")
    assert outcomes[other.org_id].stage is InvoiceStage.PAID
    assert await shop.at_stripe() == []
    async with database.session(shop.org_id) as session:
        await RollupRepository(session).reopen()
    await shop.close()
    assert (await shop.desk.retry(shop.org_id, MARCH)).stage is InvoiceStage.PAID
    assert len(await shop.at_stripe()) == 1


def _ids(*shops: Shop) -> set[UUID]:
    return {shop.org_id for shop in shops}


@pytest.mark.parametrize("amount", [None, 1_00])
async def test_a_draft_that_was_tampered_with_is_not_finalized(shop: Shop, stripe: Stripe, amount: int | None) -> None:
    await shop.use(Entry(TENTH, 30 * USD, model="a"), Entry(TENTH, 30 * USD, model="b"))
    await shop.close()
    # Everything is sent, and then Stripe is unreachable.
    await stripe.fail("/v1/invoices/in_[^/]+", how="status", method="GET", times=4, status=503)
    assert (await shop.invoices.bring_on(shop.org_id, MARCH)).trouble
    assert (await shop.invoice())[0].stage is InvoiceStage.PUSHED
    [draft] = await shop.at_stripe()
    if amount is None:
        item = (await shop.client.v1.invoice_items.list_async({"customer": shop.customer or ""})).data[0]
        await shop.client.v1.invoice_items.update_async(item.id, {"amount": item.amount + 1})
    else:
        await shop.client.v1.invoice_items.create_async(
            {"customer": shop.customer or "", "invoice": draft.id, "amount": amount, "currency": "usd"}
        )
    outcome = await shop.invoices.bring_on(shop.org_id, MARCH)
    assert outcome.stage is InvoiceStage.BLOCKED
    assert (await shop.at_stripe())[0].status == "draft"
    proof = await InvoiceProofs(shop.database, shop.stripe).prove(shop.org_id, MARCH)
    assert proof.difference
    assert sum(not line.is_proven for line in proof.lines) == (1 if amount is None else 0)
    assert (await shop.desk.retry(shop.org_id, MARCH)).stage is InvoiceStage.PAID
    [sent] = await shop.at_stripe()
    assert (sent.status, sent.total) == ("paid", 4800)


async def test_a_plans_change_divides_the_month(shop: Shop) -> None:
    halfway = datetime(2024, 3, 16, 12, tzinfo=UTC)
    async with connection(shop.postgres.owner_url) as owner, owner.transaction():
        await owner.execute("DELETE FROM aichat.plan_periods WHERE org_id = $1", shop.org_id)
        for plan, start, end in (("pro", None, halfway), ("team", halfway, None)):
            await owner.execute(
                "INSERT INTO aichat.plan_periods (org_id, starts_at, ends_at, plan) "
                "VALUES ($1, coalesce($2, '-infinity'::timestamptz), $3, $4)",
                *(shop.org_id, start, end, plan),
            )
    before, at = halfway - timedelta(microseconds=1), halfway
    await shop.use(Entry(before, 30 * USD), Entry(at, 30 * USD))
    await shop.bring_on()
    _, lines = await shop.invoice()
    # Half of 20 USD and half of 30; 20 % and 10 % added to the rest.
    assert [(line.terms.plan if line.terms else "", line.included, line.cents) for line in lines] == [
        ("pro", 10 * USD, 2400),
        ("team", 15 * USD, 1650),
    ]


async def test_nothing_is_sent_where_nothing_is_due(shop: Shop, database: Database) -> None:
    await shop.use(Entry(TENTH, 20 * USD))
    assert (await shop.bring_on()).stage is InvoiceStage.SETTLED
    assert (await shop.bring_on(month(2024, 4))).stage is InvoiceStage.SETTLED
    assert await shop.at_stripe() == []
    nobody = await shop.another(card=None)
    await nobody.use(Entry(TENTH, 30 * USD))
    outcome = await nobody.bring_on()
    assert (outcome.stage, outcome.total) == (InvoiceStage.SETTLED, 1200)
    assert [line.kind for line in (await nobody.invoice())[1]] == [LineKind.USAGE]


async def test_without_a_payment_provider_invoices_wait_as_drafts(shop: Shop, database: Database) -> None:
    poor = replace(shop, stripe=None)
    await poor.use(Entry(TENTH, 30 * USD))
    assert (await poor.bring_on()).stage is InvoiceStage.DRAFTED
    assert (await shop.bring_on()).stage is InvoiceStage.PAID


async def test_a_dry_run_shows_the_amounts_and_changes_nothing(shop: Shop) -> None:
    await shop.use(Entry(TENTH, 30 * USD))
    found = {one.org_id: one for one in await shop.invoices.run(MARCH, TENTH, dry_run=True)}
    assert (found[shop.org_id].stage, found[shop.org_id].total) == (None, 1200)
    assert await shop.rows("SELECT * FROM aichat.invoices WHERE org_id = $1") == []
    assert await shop.rows("SELECT * FROM aichat.closed_books WHERE org_id = $1") == []
