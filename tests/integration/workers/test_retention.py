"""What is kept for a limited time, and what is kept forever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.billing.storage.stripe_events import StripeEventRepository
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.jobs.storage.runs import JobClaim, JobRunRepository
from aichat_server.payments.domain.billing import BillingEvent
from aichat_server.plans.domain import Plan, PlanLists
from aichat_server.plans.service import PlanBook, StoredPlans
from aichat_server.retention.service.retention import RUNS_KEPT, WEBHOOKS_KEPT, Retention

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, completed, exchange, turn

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
KEPT = 30 * DAY


class Terms:
    """The plans' terms, except that Team keeps conversations for a month."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plans(self) -> PlanLists:
        """Returns the terms with that change."""
        plans = dict(await StoredPlans(self._database).plans())
        plans[Plan.TEAM] = [replace(terms, retention_days=KEPT.days) for terms in plans[Plan.TEAM]]
        return plans


@pytest.fixture
async def retention(database: Database) -> Retention:
    plans = PlanBook(Terms(database))
    await plans.refresh()
    return Retention(database, plans)


async def grow_old(postgres: Postgres, conversation_id: UUID, age: timedelta) -> None:
    async with connection(postgres.owner_url) as owner:
        query = "UPDATE aichat.conversations SET updated_at = $2 WHERE conversation_id = $1"
        await owner.execute(query, conversation_id, NOW - age)


async def count(postgres: Postgres, principal: Principal, table: str) -> int:
    async with connection(postgres.owner_url) as owner:
        query = f"SELECT count(*) FROM aichat.{table} WHERE org_id = $1"  # noqa: S608
        return int(await owner.fetchval(query, principal.org_id))


async def test_conversations_are_kept_for_as_long_as_their_plan_says(
    retention: Retention, postgres: Postgres, database: Database, principal: Principal
) -> None:
    old, young = [(await exchange(database, principal)).conversation_id for _ in range(2)]
    await grow_old(postgres, old, KEPT + DAY)
    await grow_old(postgres, young, KEPT - DAY)

    assert await retention.stale(NOW) == 1
    assert (await retention.purge(NOW)).conversations == 1
    left = await Conversations(database).list(principal, 10)
    assert [one.conversation_id for one in left.items] == [young]
    assert await retention.stale(NOW) == 0
    assert (await retention.purge(NOW)).conversations == 0
    assert await count(postgres, principal, "messages") == 2
    assert await count(postgres, principal, "usage_events") == 2, "the books are kept"


async def test_plans_that_say_nothing_keep_them_for_ever(
    retention: Retention, postgres: Postgres, database: Database, principal: Principal
) -> None:
    async with database.session(principal.org_id) as session:
        await OrganizationRepository(session).set_plan(Plan.PRO)
    kept = (await exchange(database, principal)).conversation_id
    await grow_old(postgres, kept, 1000 * DAY)
    await retention.purge(NOW)
    assert await Conversations(database).get(principal, kept) is not None


async def test_records_of_work_that_is_done_are_forgotten(retention: Retention, database: Database) -> None:
    names = {age: f"evt_{uuid4()}" for age in ("old", "young", "undone")}
    at = {"old": NOW - WEBHOOKS_KEPT - DAY, "young": NOW - WEBHOOKS_KEPT + DAY, "undone": NOW - 2 * WEBHOOKS_KEPT}
    async with database.platform_session() as session:
        for age, event_id in names.items():
            await StripeEventRepository(session).add(BillingEvent(event_id, "invoice.paid", "in_1", at[age]))
            if age != "undone":
                await StripeEventRepository(session).finish(event_id, at[age])
    assert (await retention.purge(NOW)).webhooks == 1
    async with database.platform_session() as session:
        again = {
            age: await StripeEventRepository(session).add(BillingEvent(event_id, "invoice.paid", "in_1", NOW))
            for age, event_id in names.items()
        }
    assert again == {"old": True, "young": False, "undone": False}


async def test_records_of_jobs_are_forgotten_once_they_came_to_a_good_end(
    retention: Retention, database: Database
) -> None:
    job = f"job-{uuid4()}"
    good, undone = (JobClaim(job, period, uuid4()) for period in ("2026-01-01", "2026-01-02"))
    async with database.platform_session() as session:
        for run in (good, undone):
            await JobRunRepository(session).claim(run, 60)
        await JobRunRepository(session).succeed(good, "done")
    assert (await retention.purge(NOW + RUNS_KEPT - DAY)).runs == 0
    assert (await retention.purge(NOW + RUNS_KEPT + DAY)).runs >= 1
    async with database.platform_session() as session:
        assert await JobRunRepository(session).periods(job) == {"2026-01-02": False}


async def test_a_conversation_is_kept_while_an_answer_is_written_to_it(
    retention: Retention, postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    await grow_old(postgres, begun.conversation_id, KEPT + DAY)
    assert await retention.stale(NOW) == 0
    assert (await retention.purge(NOW)).conversations == 0
    assert await Turns(database).end(completed(principal, begun)) is not None


async def test_a_question_makes_a_conversation_young_again(
    retention: Retention, postgres: Postgres, database: Database, principal: Principal
) -> None:
    old = (await exchange(database, principal)).conversation_id
    await grow_old(postgres, old, KEPT + DAY)
    begun = await Turns(database).begin(turn(principal, conversation_id=old))
    assert (await Conversations(database).get(principal, old)).updated_at > NOW - DAY
    await Turns(database).end(completed(principal, begun))
    assert (await retention.purge(NOW)).conversations == 0
