"""Promise 12, the clock's part: no event is in two invoices or in none, whatever clocks do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aichat_server.core.errors import AichatError
from aichat_server.core.periods import Month, month, month_of
from aichat_server.invoices.domain.invoices import InvoiceStage
from aichat_server.invoices.storage.invoices import InvoiceRepository

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, completed
from tests.integration.invoices.months import MARCH, USD, Shop
from tests.integration.quotas.ledger import begin, spend
from tests.integration.usage.books import Entry

TICK = timedelta(microseconds=1)
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def costs(shop: Shop, *months: Month) -> list[list[int]]:
    """Returns the costs of each month's lines."""
    for one in months:
        outcome = await shop.bring_on(one)
        assert outcome.trouble is None
    return [[line.cost for line in (await shop.invoice(one))[1]] for one in months]


async def test_an_event_at_the_bound_is_the_next_months(shop: Shop) -> None:
    leap, march = month(2024, 2), month(2024, 3)
    await shop.use(Entry(march.start - TICK, 1), Entry(march.start, 2), Entry(datetime(2024, 2, 29, 12, tzinfo=UTC), 4))
    await shop.use(Entry(march.end - TICK, 8), Entry(march.end, 16))
    assert await costs(shop, month(2024, 1), leap, march, month(2024, 4)) == [[], [5], [10], [16]]


async def test_the_sessions_time_zone_moves_no_bound(shop: Shop) -> None:
    # In the month in which clocks go forward in New York, with an event in the missing hour there.
    async with connection(shop.postgres.owner_url) as owner:
        await owner.execute("ALTER ROLE aichat_app SET timezone TO 'America/New_York'")
    try:
        missing = datetime(2024, 3, 10, 7, 30, tzinfo=UTC)
        march = month(2024, 3)
        await shop.use(Entry(march.start, 1), Entry(missing, 2), Entry(march.end - TICK, 4), Entry(march.end, 8))
        async with connection(shop.postgres.app_url) as app:
            assert await app.fetchval("SHOW timezone") == "America/New_York"
        assert await costs(shop, month(2024, 2), march, month(2024, 4)) == [[], [7], [8]]
    finally:
        async with connection(shop.postgres.owner_url) as owner:
            await owner.execute("ALTER ROLE aichat_app RESET timezone")


async def test_closing_waits_for_what_is_just_being_booked(shop: Shop) -> None:
    async with connection(shop.postgres.owner_url) as owner, connection(shop.postgres.owner_url) as watcher:
        booking = owner.transaction()
        await booking.start()
        # As aichat.book begins; the time of what it writes is then before the bound.
        await owner.fetchval("SELECT aichat.booking_time($1)", shop.org_id)
        before = await watcher.fetchval(WAITING)
        closing = asyncio.create_task(shop.bring_on())
        async with asyncio.timeout(60):
            while await watcher.fetchval(WAITING) == before:
                await asyncio.sleep(0.01)
        assert not closing.done()
        await _book(owner, shop, MARCH.end - TICK)
        await booking.commit()
        await closing
    assert [line.cost for line in (await shop.invoice())[1]] == [30 * USD]


async def _book(owner: asyncpg.Connection[asyncpg.Record], shop: Shop, at: datetime) -> None:
    await owner.execute("SELECT aichat.open_hour($1, $2)", shop.org_id, at)
    await owner.execute(
        "INSERT INTO aichat.usage_events (org_id, generation_id, conversation_id, member_id, provider, model, "
        "price_version, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, "
        "reasoning_tokens, web_searches, raw_usage, quality, cost_nano_usd, duration_ms, occurred_at) "
        "VALUES ($1, gen_random_uuid(), gen_random_uuid(), $2, 'v', 'm', 'epoch', 1, 0, 0, 0, 1, 0, 0, '{}', 'exact', "
        "$3, 1, $4)",
        *(shop.org_id, shop.principal.member_id, 30 * USD, at),
    )


async def test_a_clock_that_was_put_back_books_nothing_into_a_closed_month(shop: Shop) -> None:
    # As the ledger appears to a database whose clock is years behind the one that closed the month.
    ahead = month(2034, 5)
    async with connection(shop.postgres.owner_url) as owner:
        await owner.execute("INSERT INTO aichat.closed_books VALUES ($1, $2)", shop.org_id, ahead.end)
    await spend(shop.database, shop.principal, USD)
    [event] = await shop.rows()
    assert event["occurred_at"] == ahead.end
    # Closing an earlier month does not reopen a later one.
    await shop.close(MARCH)
    await spend(shop.database, shop.principal, USD)
    assert {event["occurred_at"] for event in await shop.rows()} == {ahead.end}


async def test_a_month_ends_by_the_databases_clock(shop: Shop) -> None:
    this = month_of(datetime.now(UTC))
    outcomes = await shop.invoices.run(this, this.end + timedelta(days=1))
    [mine] = [one for one in outcomes if one.org_id == shop.org_id]
    assert mine.stage is None
    assert "clock" in (mine.trouble or "")
    assert await shop.rows("SELECT * FROM aichat.invoices WHERE org_id = $1") == []
    with pytest.raises(AichatError, match="not over"):
        await shop.invoices.run(this, this.end - TICK)


async def test_a_closed_month_never_gets_another_event(shop: Shop) -> None:
    """Turns end while the books are closed repeatedly, each time up to a moment ago."""
    seen: list[tuple[datetime, set[object]]] = []
    turns = [await begin(shop.database, shop.principal, USD) for _ in range(40)]
    ending = asyncio.gather(*(Turns(shop.database).end(completed(shop.principal, turn)) for turn in turns))
    query = "SELECT generation_id FROM aichat.usage_events WHERE org_id = $1 AND occurred_at < $2"
    async with connection(shop.postgres.owner_url) as owner:
        while not ending.done() or not seen:
            until = await owner.fetchval("SELECT clock_timestamp()")
            assert await owner.fetchval("SELECT aichat.close_books($1, $2)", shop.org_id, until)
            seen.append((until, {row["generation_id"] for row in await owner.fetch(query, shop.org_id, until)}))
            await asyncio.sleep(0)
        await ending
        for until, found in seen:
            assert {row["generation_id"] for row in await owner.fetch(query, shop.org_id, until)} == found
    assert len(await shop.rows()) == len(turns)


async def test_an_hour_that_is_not_summed_delays_the_invoice(shop: Shop) -> None:
    await shop.use(Entry(MARCH.start, 30 * USD))
    async with shop.database.session(shop.org_id) as session:
        await InvoiceRepository(session).close(MARCH)
    outcome = await shop.invoices.bring_on(shop.org_id, MARCH)
    assert (outcome.stage, outcome.trouble) == (None, "some of the month's hours are not summed yet")
    assert (await shop.bring_on()).stage is InvoiceStage.PAID
