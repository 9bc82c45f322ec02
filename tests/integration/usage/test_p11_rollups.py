"""Promise 11: the sum of the ledger equals the sum of the hours, and the hours can be summed again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.usage.domain.reports import Dimension, UsageQuery
from aichat_server.usage.service.reports import UsageReports
from aichat_server.usage.service.rollups import Rollups
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, completed, exchange, failed, turn
from tests.integration.usage.books import (
    HOUR,
    LATER,
    NOON,
    Entry,
    add,
    hourly_rows,
    hourly_sum,
    ledger_sum,
    open_hours,
    write,
)

MEMBERS = [None, UUID(int=1), UUID(int=2)]
ENTRIES = st.builds(
    Entry,
    at=st.integers(0, 5 * 3_600_000_000).map(lambda late: NOON + timedelta(microseconds=late)),
    cost=st.integers(0, 2**40),
    model=st.sampled_from(["model-1", "model-2"]),
    member=st.sampled_from(MEMBERS),
    key=st.sampled_from(MEMBERS),
    tokens=st.integers(0, 2**33),
    estimated=st.booleans(),
    error=st.sampled_from([None, None, "PROVIDER_TIMEOUT", "GENERATION_CANCELLED"]),
    first_delta_ms=st.none() | st.integers(0, 5_000),
    duration_ms=st.integers(0, 50_000),
    generation=st.builds(uuid4),
)
FAILURES = st.builds(
    Entry, at=ENTRIES.map(lambda entry: entry.at), error=st.just("PROVIDER_OVERLOADED"), used=st.just(False),
    generation=st.builds(uuid4),
)  # fmt: skip
STEPS = st.lists(st.lists(ENTRIES | FAILURES, max_size=6) | st.integers(0, 6), min_size=2, max_size=8)


async def new_member(database: Database) -> Principal:
    principal = Principal(uuid4(), uuid4())
    async with database.session(principal.org_id, principal.actor) as session:
        await OrganizationRepository(session).ensure("Test", principal.member_id)
    return principal


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_sums_are_what_the_books_say_whatever_comes_when(
    postgres: Postgres, database: Database, steps: list[list[Entry] | int]
) -> None:
    principal, rollups = await new_member(database), Rollups(database)
    reports = UsageReports(database)
    query = UsageQuery(NOON - HOUR, NOON + 8 * HOUR, group_by=(Dimension.MODEL, Dimension.MEMBER))
    written: list[Entry] = []
    for step in steps:
        if isinstance(step, int):
            await rollups.run(NOON + step * HOUR)
        else:
            await add(postgres, principal, *step)
            written += step
        report = await reports.query(principal, query)
        assert report.total.turns == len(written) == sum(row.totals.turns for row in report.rows)
        assert report.total.cost == sum(entry.cost for entry in written if entry.used)
        assert sum(report.total.errors.values()) == sum(entry.error is not None for entry in written)
        assert await rollups.mismatches(principal.org_id, NOON, LATER) == ()
    await rollups.run(LATER)
    assert await open_hours(postgres, principal) == []
    assert await ledger_sum(postgres, principal) == await hourly_sum(postgres, principal)
    assert await rollups.mismatches(principal.org_id, NOON, LATER) == ()


async def test_an_hour_is_summed_up_when_it_is_over(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    rollups = Rollups(database)
    await add(postgres, principal, Entry(NOON - timedelta(microseconds=1), 1), Entry(NOON, 2), Entry(NOON + HOUR, 4))
    await rollups.run(NOON + HOUR - timedelta(microseconds=1))
    assert await open_hours(postgres, principal) == [NOON, NOON + HOUR]
    await rollups.run(NOON + HOUR)
    assert await open_hours(postgres, principal) == [NOON + HOUR]
    assert sorted(key[0] for key in await hourly_rows(postgres, principal)) == [NOON - HOUR, NOON]


async def test_a_late_turn_opens_its_hour_again_and_no_other_row_changes(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    rollups = Rollups(database)
    await add(postgres, principal, Entry(NOON), Entry(NOON, model="model-2"), Entry(NOON + HOUR))
    await rollups.run(LATER)
    before = await hourly_rows(postgres, principal)
    await add(postgres, principal, Entry(NOON + timedelta(minutes=59), model="model-2"))
    assert await open_hours(postgres, principal) == [NOON]
    await rollups.run(LATER)
    after = await hourly_rows(postgres, principal)
    assert [key[:2] for key in before if before[key] != after[key]] == [(NOON, "model-2")]
    assert await ledger_sum(postgres, principal) == await hourly_sum(postgres, principal)


async def test_summing_up_again_changes_no_row(postgres: Postgres, database: Database, principal: Principal) -> None:
    rollups = Rollups(database)
    times = [Entry(NOON + number * timedelta(minutes=7), first_delta_ms=-number % 3) for number in range(40)]
    await add(postgres, principal, *times)
    await rollups.run(LATER)
    rows = await hourly_rows(postgres, principal)
    assert len(rows) == 5
    assert await rollups.run(LATER) == 0
    assert await rollups.rebuild(LATER, principal.org_id) >= 5
    assert await hourly_rows(postgres, principal) == rows


async def test_sums_that_are_wrong_are_found_and_made_again(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    rollups = Rollups(database)
    await add(postgres, principal, *(Entry(NOON + number * HOUR) for number in range(4)))
    await rollups.run(LATER)
    async with connection(postgres.owner_url) as owner:
        hourly = "aichat.usage_hourly WHERE org_id = $1 AND hour = $2"
        await owner.execute(f"DELETE FROM {hourly}", principal.org_id, NOON)  # noqa: S608
        change = "UPDATE aichat.usage_hourly SET {} WHERE org_id = $1 AND hour = $2"
        await owner.execute(change.format("cost_nano_usd = cost_nano_usd + 1"), principal.org_id, NOON + HOUR)
        await owner.execute(change.format("hour = hour + interval '1 day'"), principal.org_id, NOON + 2 * HOUR)
    wrong = (NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 26 * HOUR)
    assert await rollups.mismatches(principal.org_id, NOON, LATER) == wrong
    assert await rollups.mismatches(principal.org_id, NOON + HOUR, NOON + 2 * HOUR) == (NOON + HOUR,)
    await rollups.rebuild(LATER)
    assert await rollups.mismatches(principal.org_id, NOON, LATER) == ()
    assert await ledger_sum(postgres, principal) == await hourly_sum(postgres, principal)


async def test_a_turn_that_is_just_ending_is_neither_waited_for_nor_lost(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    rollups = Rollups(database)
    await add(postgres, principal, Entry(NOON, 1))
    async with connection(postgres.owner_url) as ending:
        async with ending.transaction():
            await write(ending, principal, [Entry(NOON, 10)])
            await rollups.run(LATER)
            assert await open_hours(postgres, principal) == [NOON]
            assert await rollups.mismatches(principal.org_id, NOON, LATER) == ()
        await rollups.run(LATER)
    assert await open_hours(postgres, principal) == []
    assert await ledger_sum(postgres, principal) == await hourly_sum(postgres, principal)
    assert (await hourly_sum(postgres, principal))[-1] == 11


async def test_a_turn_that_ends_while_its_hour_is_summed_up_opens_it_again(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await add(postgres, principal, Entry(NOON, 1))
    async with connection(postgres.app_url) as summing:
        async with summing.transaction():
            await summing.execute("SELECT aichat.roll_up($1, 1000, NULL, NULL)", LATER)
            ending = asyncio.create_task(add(postgres, principal, Entry(NOON, 10)))
            async with connection(postgres.owner_url) as owner:
                waits = (
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%open_hour%'"
                )
                while not await owner.fetchval(waits):
                    assert not ending.done()
                    await asyncio.sleep(0.01)
        await ending
    assert await open_hours(postgres, principal) == [NOON]
    assert (await hourly_sum(postgres, principal))[-1] == 1
    await Rollups(database).run(LATER)
    assert (await hourly_sum(postgres, principal))[-1] == 11


async def test_turns_of_an_hour_do_not_wait_for_each_other(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await add(postgres, principal, Entry(NOON))
    async with connection(postgres.owner_url) as one, connection(postgres.owner_url) as other:
        await other.execute("SET lock_timeout = '5s'")
        async with one.transaction():
            await write(one, principal, [Entry(NOON)])
            async with other.transaction():
                await write(other, principal, [Entry(NOON)])
    await Rollups(database).run(LATER)
    assert (await hourly_sum(postgres, principal))[0] == 3


async def test_two_may_sum_up_at_once(postgres: Postgres, database: Database, principal: Principal) -> None:
    # More hours than one transaction processes.
    await add(postgres, principal, *(Entry(NOON + number * HOUR, number) for number in range(700)))
    rollups = Rollups(database)
    await asyncio.gather(rollups.run(LATER), rollups.run(LATER))
    await rollups.run(LATER)
    assert await open_hours(postgres, principal) == []
    assert await ledger_sum(postgres, principal) == await hourly_sum(postgres, principal)


async def test_turns_put_their_hour_on_the_list_and_failures_count(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    began = datetime.now(UTC)
    await exchange(database, principal)
    cut = await Turns(database).begin(turn(principal))
    await Turns(database).end(failed(principal, cut, "half"))
    begun = await Turns(database).begin(turn(principal))
    end = completed(principal, begun)
    await Turns(database).end(end)
    await Turns(database).end(end)
    query = UsageQuery(began - HOUR, began + HOUR, latency=True)
    for rolled in (False, True):
        if rolled:
            await Rollups(database).run(LATER)
            assert await open_hours(postgres, principal) == []
        total = (await UsageReports(database).query(principal, query)).total
        assert (total.turns, total.errors) == (3, {"PROVIDER_TIMEOUT": 1})
        assert total.usage.output == 120
        assert total.duration is not None
