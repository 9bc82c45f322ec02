"""Promise 18: what an organisation can owe beyond its included usage is limited."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from aichat_sandbox.postgres import Postgres
from aichat_server.app.billing import build_billing
from aichat_server.app.database import connect_serving
from aichat_server.billing.rpc.messages import plan_to_proto
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan
from aichat_server.plans.service import PlanBook, StoredPlans, add_terms
from aichat_server.quotas.domain import PlatformLimit
from aichat_server.quotas.service import Quotas, set_platform_limits
from aichat_server.quotas.storage.quotas import QuotaRepository
from aichat_server.settings import Settings

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Begun, Turns, turn
from tests.integration.quotas.caps.conftest import USD, organization
from tests.integration.quotas.ledger import begin, books, counted, holding, limit, refused, spend


async def cap(database: Database, dollars: int) -> None:
    await set_platform_limits(database, {PlatformLimit.OVERAGE: NanoUsd(dollars * USD)})


async def owe(postgres: Postgres, principal: Principal, cents: int) -> None:
    """Adds an unpaid invoice of long ago."""
    month, then = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
    async with connection(postgres.owner_url) as owner:
        await owner.execute(
            "INSERT INTO aichat.invoices (org_id, period_start, period_end, state, digest, cost_nano_usd, total_cents) "
            "VALUES ($1, $2, $3, 'finalized', '', 0, $4)",
            *(principal.org_id, month, then, cents),
        )
        await owner.execute("INSERT INTO aichat.unpaid_invoices VALUES ($1, $2, $3)", principal.org_id, month, then)


async def test_usage_beyond_the_cap_is_refused_and_says_what_is_left_and_until_when(database: Database) -> None:
    await cap(database, 12)
    pro = await organization(database, Plan.PRO)
    # 20 USD are included, and 10 USD with a fifth added are 12.
    await spend(database, pro, 25 * USD)
    error = await refused(database, holding(turn(pro), 5 * USD + 1))
    assert error is not None
    now = datetime.now(UTC)
    assert error.metadata == {
        "scope": "organization",
        "period": "month",
        "cap": "overage",
        "limit": "30",
        "used": "25",
        "remaining": "5",
        "reset_time": f"{now.year + now.month // 12}-{now.month % 12 + 1:02}-01T00:00:00Z",
    }
    assert error.quota_subject == f"organization:{pro.org_id}"
    await spend(database, pro, 5 * USD)
    assert await refused(database, holding(turn(pro), 1)) is not None


async def test_of_many_at_once_as_many_begin_as_fit(postgres: Postgres, database: Database) -> None:
    await cap(database, 12)
    pro = await organization(database, Plan.PRO)
    await spend(database, pro, 20 * USD)
    turns = [holding(turn(pro), 3 * USD) for _ in range(20)]
    results = await asyncio.gather(*(Turns(database).begin(one) for one in turns), return_exceptions=True)
    refusals = [one for one in results if isinstance(one, AichatError)]
    assert (len(refusals), {one.reason for one in refusals}) == (17, {Reason.QUOTA_EXCEEDED})
    assert len([one for one in results if isinstance(one, Begun)]) == 3
    charged = sum(event["cost_nano_usd"] for event in await books(postgres, pro.org_id))
    assert await counted(postgres, pro.org_id) == {("organization", "month"): charged}


async def test_a_plan_may_have_a_cap_of_its_own(postgres: Postgres, database: Database) -> None:
    await cap(database, 12)
    plans = PlanBook(StoredPlans(database))
    await plans.refresh()
    before = plans.current(Plan.TEAM)
    try:
        await add_terms(postgres.owner_url, replace(before, overage_cap=NanoUsd(0)))
        team = await organization(database, Plan.TEAM)
        async with database.session(team.org_id) as session:
            [quota] = await QuotaRepository(session).list()
        # The included usage, prorated from the start of these terms.
        assert quota.hard is not None
        assert quota.hard < before.included
        assert await refused(database, holding(turn(team), quota.hard + 1))
    finally:
        await add_terms(postgres.owner_url, before)


async def test_an_unpaid_amount_reduces_the_cap_until_it_is_paid(postgres: Postgres, database: Database) -> None:
    await cap(database, 12)
    pro = await organization(database, Plan.PRO)
    await owe(postgres, pro, 600)
    await spend(database, pro, 25 * USD)
    assert await refused(database, holding(turn(pro), 1))
    await owe(postgres, other := await organization(database, Plan.PRO), 999_999)
    assert await refused(database, holding(turn(other), 20 * USD + 1))
    assert await refused(database, holding(turn(other), 20 * USD)) is None
    async with connection(postgres.owner_url) as owner:
        await owner.execute("DELETE FROM aichat.unpaid_invoices WHERE org_id = $1", pro.org_id)
    assert await refused(database, holding(turn(pro), 5 * USD)) is None


async def test_an_operators_hard_quota_replaces_the_cap_and_a_soft_one_does_not(database: Database) -> None:
    await cap(database, 12)
    pro = await organization(database, Plan.PRO)
    name = await limit(database, pro, None, soft=USD)
    error = await refused(database, holding(turn(pro), 30 * USD + 1))
    assert error is not None
    assert error.metadata["cap"] == "overage"
    await limit(database, pro, 100 * USD)
    assert await refused(database, holding(turn(pro), 100 * USD)) is None
    error = await refused(database, holding(turn(pro), 1))
    assert error is not None
    assert "cap" not in error.metadata
    assert await Quotas(database).remove(pro.org_id, name)


async def test_a_change_of_plan_never_exceeds_the_cap(postgres: Postgres, database: Database) -> None:
    await cap(database, 12)
    late = await organization(database, Plan.FREE)
    await spend(database, late, USD)
    async with database.session(late.org_id) as session:
        await OrganizationRepository(session).set_plan(Plan.PRO)
        [quota] = await QuotaRepository(session).list()
    assert quota.hard is not None
    now = datetime.now(UTC)
    rest = (quota.resets_at - now) / (quota.resets_at - quota.starts_at)
    # The plan includes usage for the rest of the month, as the invoice does.
    assert abs(quota.hard - (20 * rest + 10) * USD) < USD // 100
    assert (quota.charged, await counted(postgres, late.org_id)) == (USD, {})
    assert await refused(database, holding(turn(late), quota.hard - USD + 1))


async def test_a_server_applies_and_shows_its_settings(postgres: Postgres, database: Database) -> None:
    pro = await organization(database, Plan.PRO)
    for dollars, most in (("0", 20), ("12", 30)):
        settings = Settings.model_validate({"DATABASE_URL": postgres.app_url, "AICHAT_OVERAGE_CAP_USD": dollars})
        async with connect_serving(settings) as served:
            assert await refused(served, holding(turn(pro), most * USD + 1))
            plans = PlanBook(StoredPlans(served))
            await plans.refresh()
            shown = [plan_to_proto(terms) for terms in build_billing(settings, served, plans, None).list_plans()]
        assert [plan.overage_cap.units for plan in shown] == [0, int(dollars), int(dollars)]
        assert [plan.HasField("overage_cap") for plan in shown] == [False, True, True]
    await begin(database, pro, 30 * USD)
