"""Plans: terms are added and never changed; what they allow, and when each was in force."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import asyncpg
import grpc
import pytest
from aichat.v1 import chat_pb2
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_server.__main__ import main
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.models.gateway import load_prices
from aichat_server.models.service import add_prices
from aichat_server.plans.domain import Plan, PlanTerms
from aichat_server.plans.service import PlanBook, StoredPlans, add_terms
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas
from aichat_server.settings import DEFAULT_MODELS

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import connection
from tests.fixtures.server import RunServer, minted_key
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, eventually, refusal, stream, times_asked
from tests.integration.quotas.ledger import begin, spend

USD = 1_000_000_000


@dataclass
class World:
    """A database whose plans only this file changes."""

    postgres: Postgres
    database: Database

    async def book(self) -> PlanBook:
        book = PlanBook(StoredPlans(self.database))
        await book.refresh()
        return book

    async def change(self, plan: Plan, **terms: object) -> PlanTerms:
        """Gives the plan other terms from now on; returns the earlier ones."""
        before = (await self.book()).current(plan)
        await add_terms(self.postgres.owner_url, replace(before, **terms))  # type: ignore[arg-type]
        return before

    async def organization(self, plan: Plan = Plan.FREE) -> Principal:
        """Creates an organisation and returns its owner."""
        org_id, member_id = uuid4(), uuid4()
        async with self.database.session(org_id, Actor.member(member_id)) as session:
            await OrganizationRepository(session).ensure("Test", member_id)
            await OrganizationRepository(session).set_plan(plan)
        return Principal(org_id, member_id, plan=plan)

    async def terms(self, principal: Principal) -> list[tuple[str, datetime, datetime, int]]:
        """Returns the organisation's terms in the last hour and the next: plan, start, end, and the seat's price."""
        now = datetime.now(UTC)
        async with connection(self.postgres.owner_url) as owner:
            rows = await owner.fetch(
                "SELECT t.plan, t.starts_at, t.ends_at, p.seat_nano_usd FROM aichat.plan_terms($1, $2, $3) AS t "
                "JOIN aichat.plans AS p USING (plan, valid_from) ORDER BY t.starts_at",
                principal.org_id,
                now - timedelta(hours=1),
                now + timedelta(hours=1),
            )
        return [tuple(row) for row in rows]


@pytest.fixture(scope="module")
async def world() -> AsyncGenerator[World, None]:
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            await migrate(server.owner_url, server.app_url)
            await add_prices(server.owner_url, load_prices(DEFAULT_MODELS))
            async with open_database(server.app_url, pool_size=4) as database:
                yield World(server, database)


async def in_thread(arguments: list[str]) -> int:
    """Runs a command, which needs its own event loop, and returns its exit code."""
    return await asyncio.to_thread(main, arguments)


async def used_up(world: World, principal: Principal) -> AichatError | None:
    """Returns the refusal of a turn that could cost a nano-dollar more."""
    try:
        await begin(world.database, principal, 1)
    except AichatError as error:
        return error
    return None


async def test_a_larger_plan_allows_more_and_no_caller_more_than_its_organisation(plans: PlanBook) -> None:
    for smaller, larger in pairwise(plans.current(plan) for plan in Plan):
        assert smaller.seat_price < larger.seat_price
        assert smaller.included < larger.included
        for less, more in zip(astuple(smaller.rates), astuple(larger.rates), strict=True):
            assert all(a < b for a, b in zip(less, more, strict=True))
    for plan in Plan:
        rates = plans.rates(plan)
        assert all(a <= b for a, b in zip(astuple(rates.caller), astuple(rates.organization), strict=True))
    assert [plans.current(plan).hard for plan in Plan] == [True, False, False]


async def test_what_free_includes_is_a_hard_limit_and_other_plans_charge_more(world: World, plans: PlanBook) -> None:
    included = plans.current(Plan.FREE).included
    for plan, refused in ((Plan.FREE, True), (Plan.PRO, False), (Plan.TEAM, False)):
        principal = await world.organization(plan)
        await spend(world.database, principal, included)
        error = await used_up(world, principal)
        assert (error is not None) is refused
        if error is not None:
            assert error.reason is Reason.QUOTA_EXCEEDED
            assert (error.metadata["scope"], error.metadata["limit"]) == ("organization", "5")


async def test_the_operators_quota_replaces_the_plans(world: World, plans: PlanBook) -> None:
    principal, quotas = await world.organization(), Quotas(world.database)
    name = QuotaName(QuotaScope.ORGANIZATION, principal.org_id, QuotaPeriod.MONTH)
    included = plans.current(Plan.FREE).included
    await spend(world.database, principal, included)
    assert [(quota.name, quota.hard, quota.charged) for quota in await quotas.list(principal.org_id)] == [
        (name, included, included)
    ]
    assert await quotas.set(principal.org_id, name, NanoUsd(2 * included), None)
    await spend(world.database, principal, included)
    assert await used_up(world, principal) is not None
    assert await quotas.remove(principal.org_id, name)
    assert [quota.hard for quota in await quotas.list(principal.org_id)] == [included]
    # A quota for the day, or for a member, applies as well.
    member = QuotaName(QuotaScope.MEMBER, principal.member_id, QuotaPeriod.MONTH)
    assert await quotas.set(principal.org_id, member, NanoUsd(10 * included), None)
    assert len(await quotas.list(principal.org_id)) == 2


async def test_what_was_used_on_another_plan_counts_when_free_is_back(world: World, plans: PlanBook) -> None:
    principal = await world.organization()
    included = plans.current(Plan.FREE).included
    await spend(world.database, principal, 1)
    for plan in (Plan.PRO, Plan.FREE):
        async with world.database.session(principal.org_id) as session:
            await OrganizationRepository(session).set_plan(plan)
        if plan is Plan.PRO:
            await spend(world.database, principal, included)
    assert await used_up(world, principal) is not None


async def test_a_change_of_price_does_not_change_the_past(world: World) -> None:
    principal = await world.organization(Plan.PRO)
    started = (await world.terms(principal))[-1]
    before = await world.change(Plan.PRO, seat_price=NanoUsd(25 * USD), lookup_key="aichat-pro-25")
    free, old, new = await world.terms(principal)
    assert (free[0], old[0], new[0]) == ("free", "pro", "pro")
    assert (old[1], old[3]) == (started[1], before.seat_price)
    assert (old[2], new[3]) == (new[1], 25 * USD)
    book = await world.book()
    assert book.current(Plan.PRO).seat_price == 25 * USD
    # An organisation that subscribed at the old price is still on the plan.
    assert book.sold_as("aichat-pro-20") is book.sold_as("aichat-pro-25") is Plan.PRO
    assert book.sold_as("aichat-pro-99") is book.sold_as(None) is None


async def test_terms_cannot_be_changed_taken_away_or_dated_back(world: World) -> None:
    async with connection(world.postgres.owner_url) as owner:
        for statement in ("UPDATE aichat.plans SET seat_nano_usd = 0", "DELETE FROM aichat.plans"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(statement)
        back = (
            "INSERT INTO aichat.plans SELECT (jsonb_populate_record(p, jsonb_build_object("
            "'valid_from', now() - interval '1 s', 'created_at', now()))).* FROM aichat.plans AS p LIMIT 1"
        )
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(back)
    async with connection(world.postgres.app_url) as app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("INSERT INTO aichat.plans SELECT * FROM aichat.plans")


async def test_plans_succeed_each_other_without_a_gap(world: World) -> None:
    principal = await world.organization()
    now = datetime.now(UTC)
    changes = ((Plan.PRO, 5), (Plan.PRO, 6), (Plan.TEAM, 7), (Plan.FREE, 3), (Plan.PRO, 7))
    for plan, seconds in changes:
        async with world.database.session(principal.org_id) as session:
            await OrganizationRepository(session).set_plan(plan, now + timedelta(seconds=seconds))
    terms = await world.terms(principal)
    # The last two were dated before, or at, the existing change: they replace it.
    assert [(plan, start - now) for plan, start, _, _ in terms[1:]] == [
        ("pro", timedelta(seconds=5)),
        ("pro", timedelta(seconds=7)),
    ]
    assert all(one[2] == next_one[1] for one, next_one in pairwise(terms))


async def test_models_are_those_of_the_plan(world: World) -> None:
    await world.change(Plan.FREE, models=frozenset({"claude-haiku-5-5"}))
    book = await world.book()
    book.check_model(Plan.FREE, "claude-haiku-5-5")
    book.check_model(Plan.PRO, "claude-opus-5-5")
    with pytest.raises(AichatError) as raised:
        book.check_model(Plan.FREE, "claude-opus-5-5")
    assert raised.value.reason is Reason.MODEL_NOT_IN_PLAN
    assert raised.value.metadata == {"model": "claude-opus-5-5", "plan": "free"}


async def test_a_running_server_follows_and_refuses_other_models(
    world: World, run_server: RunServer, vendors: Vendors
) -> None:
    await world.change(Plan.FREE, models=None)
    key = await minted_key(world.database, Plan.FREE)
    async with run_server(DATABASE_URL=world.postgres.app_url, AICHAT_PRICE_REFRESH_SECONDS="0.1") as server:
        assert await ask(server, key, "Hello", model="claude-opus-5-5")
        await world.change(Plan.FREE, models=frozenset({"gpt-6-luna"}))

        async def offered() -> set[str]:
            listed = await server.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=key.metadata)
            return {model.model for model in listed.models}

        await eventually(offered, lambda models: models == {"gpt-6-luna"})
        words = f"refused {uuid4()}"
        refused = await refusal(stream(server, key, words, model="claude-opus-5-5"))
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MODEL_NOT_IN_PLAN")
        assert times_asked(vendors, words) == 0
        assert await ask(server, key, "Hello", model="gpt-6-luna")


async def test_operators_show_and_change_plans(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", world.postgres.app_url)
    monkeypatch.setenv("AICHAT_MIGRATION_DATABASE_URL", world.postgres.owner_url)
    given = ["--seat-usd", "35.50", "--included-usd", "40", "--overage-basis-points", "500", "--models", "gpt-6-luna"]
    limits = ["--most-seats", "100", "--retention-days", "30", "--trial-days", "0", "--caller-rates", "1,2,3"]
    assert await in_thread(["plans", "set", "team", *given, *limits]) == 0
    team = (await world.book()).current(Plan.TEAM)
    assert (team.seat_price, team.lookup_key, team.included) == (35_500_000_000, "aichat-team-35.5", 40 * USD)
    assert (team.overage_basis_points, team.models, team.most_seats) == (500, frozenset({"gpt-6-luna"}), 100)
    assert (team.retention_days, team.trial_days, astuple(team.rates.caller)) == (30, 0, (1, 2, 3))
    assert "35.5 USD a seat" in capsys.readouterr().out
    assert await in_thread(["plans", "set", "team", "--models", "any", "--retention-days", "any"]) == 0
    team = (await world.book()).current(Plan.TEAM)
    assert (team.models, team.retention_days, team.most_seats) == (None, None, 100)
    assert await in_thread(["plans", "set", "free", "--seat-usd", "1"]) == 1
    assert await in_thread(["webhooks", "parked"]) == 0
    assert await in_thread(["webhooks", "retry", "evt_none"]) == 1
