"""Promise 18: the use of all organisations on Free together is limited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan
from aichat_server.quotas.domain import PlatformLimit
from aichat_server.quotas.service import set_platform_limits

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, completed, turn
from tests.integration.quotas.caps.conftest import NO_END, USD, organization
from tests.integration.quotas.ledger import begin, costing, holding, spend


async def used(postgres: Postgres) -> int:
    """Returns what all of Free was charged this month."""
    query = (
        "SELECT coalesce(sum(charged_nano_usd), 0)::bigint FROM aichat.free_usage "
        "WHERE period_start = date_trunc('month', now(), 'UTC')"
    )
    async with connection(postgres.owner_url) as owner:
        return int(await owner.fetchval(query))


@pytest.fixture(autouse=True)
async def two_dollars_left(postgres: Postgres, database: Database) -> AsyncGenerator[int, None]:
    """Sets Free's limit to two dollars more than is used; yields the limit."""
    most = await used(postgres) + 2 * USD
    await set_platform_limits(database, {PlatformLimit.FREE_PLAN: NanoUsd(most)})
    yield most
    await set_platform_limits(database, {PlatformLimit.FREE_PLAN: NO_END})


async def test_all_organisations_share_it_and_are_told_what_is_left(
    postgres: Postgres, database: Database, two_dollars_left: int
) -> None:
    for _ in range(3):
        await spend(database, await organization(database, Plan.FREE), USD // 2)
    third = await organization(database, Plan.FREE)
    with pytest.raises(AichatError) as raised:
        await begin(database, third, USD // 2 + 1)
    error, now = raised.value, datetime.now(UTC)
    assert error.reason is Reason.FREE_PLAN_EXHAUSTED
    dollars = {name: round(float(error.metadata[name]) * USD) for name in ("limit", "used", "remaining")}
    assert dollars == {"limit": two_dollars_left, "used": two_dollars_left - USD // 2, "remaining": USD // 2}
    assert error.metadata["reset_time"] == f"{now.year + now.month // 12}-{now.month % 12 + 1:02}-01T00:00:00Z"
    assert (error.metadata["cap"], error.metadata["period"]) == ("free_plan", "month")
    assert "subscribe" in error.message
    await begin(database, third, USD // 2)
    assert await used(postgres) == two_dollars_left - USD // 2


async def test_paid_usage_does_not_count(postgres: Postgres, database: Database) -> None:
    before = await used(postgres)
    await spend(database, await organization(database, Plan.PRO), 3 * USD)
    assert await used(postgres) == before
    upgraded = await organization(database, Plan.FREE)
    await spend(database, upgraded, USD)
    async with database.session(upgraded.org_id) as session:
        await OrganizationRepository(session).set_plan(Plan.PRO)
    await spend(database, upgraded, 2 * USD)
    assert await used(postgres) == before + USD


async def test_turns_of_all_organisations_at_once_are_counted_to_the_nano_dollar(
    postgres: Postgres, database: Database
) -> None:
    before = await used(postgres)
    organizations = [await organization(database, Plan.FREE) for _ in range(10)]

    async def several(number: int) -> None:
        for cost in range(1, 6):
            await spend(database, organizations[number], 1000 * number + cost)

    await asyncio.gather(*(several(number) for number in range(10)))
    assert await used(postgres) == before + sum(5 * 1000 * number + 15 for number in range(10))


async def test_a_turn_that_is_ending_delays_no_other_organisation(postgres: Postgres, database: Database) -> None:
    slow, quick = [await organization(database, Plan.FREE) for _ in range(2)]
    begun = await begin(database, slow, 10)
    async with connection(postgres.owner_url) as owner, owner.transaction():
        # Until this transaction ends, the end of that turn waits.
        await owner.execute("SELECT aichat.count_free_usage($1, $2, 10, now())", slow.org_id, begun.generation_id)
        other = await begin(database, quick, 10)
        async with asyncio.timeout(30):
            ends = [other, *[await begin(database, quick, 10) for _ in range(3)]]
            waiting = [asyncio.create_task(Turns(database).end(costing(completed(quick, one), 10))) for one in ends]
            # Of four, at most one has the row that the slow one holds.
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert done
    await asyncio.gather(*waiting)


async def test_a_refused_turn_does_not_use_its_request_id(database: Database) -> None:
    free = await organization(database, Plan.FREE)
    asked = holding(turn(free), 3 * USD)
    with pytest.raises(AichatError):
        await Turns(database).begin(asked)
    assert (await Turns(database).begin(holding(asked, USD))).known is None
