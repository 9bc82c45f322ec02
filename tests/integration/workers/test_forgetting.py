"""Data that nobody needs is deleted after its time, and nothing else; the sums stay correct."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.models.domain.usage import Usage
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas
from aichat_server.retention.service.forgetting import (
    FAILURES_KEPT,
    GENERATIONS_KEPT,
    QUOTA_PERIODS_KEPT,
    Forgotten,
    forget,
)
from aichat_server.usage.service.rollups import Rollups
from aichat_server.usage.storage.rollups import RollupRepository

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Turns, exchange, failed, turn

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def count(postgres: Postgres, principal: Principal, table: str) -> int:
    async with connection(postgres.owner_url) as owner:
        query = f"SELECT count(*) FROM aichat.{table} WHERE org_id = $1"  # noqa: S608
        return int(await owner.fetchval(query, principal.org_id))


async def fail(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Turns(database).end(replace(failed(principal, begun), usage=Usage()))


async def test_a_generation_is_forgotten_once_no_message_is_left_of_it(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    kept, deleted = [(await exchange(database, principal)).conversation_id for _ in range(2)]
    await Conversations(database).delete(principal, deleted)
    assert await forget(database, principal.org_id, NOW + GENERATIONS_KEPT - DAY) == Forgotten()
    assert await forget(database, principal.org_id, NOW + GENERATIONS_KEPT + DAY) == Forgotten(generations=1)
    assert await count(postgres, principal, "generations") == 1
    assert await count(postgres, principal, "usage_events") == 2
    assert (await Conversations(database).get(principal, kept)).conversation_id == kept


async def test_an_answer_that_is_kept_for_retries_is_forgotten_after_a_day(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await exchange(database, principal)
    async with connection(postgres.owner_url) as owner:
        await owner.execute(
            "INSERT INTO aichat.kept_answers (org_id, generation_id, parts) "
            "SELECT org_id, generation_id, '[]' FROM aichat.generations WHERE org_id = $1",
            principal.org_id,
        )
    assert await forget(database, principal.org_id, NOW + DAY / 2) == Forgotten()
    assert await forget(database, principal.org_id, NOW + 2 * DAY) == Forgotten(answers=1)
    assert await count(postgres, principal, "generations") == 1


async def test_a_running_generation_is_not_forgotten(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Conversations(database).delete(principal, begun.conversation_id)
    assert await forget(database, principal.org_id, NOW + 2 * GENERATIONS_KEPT) == Forgotten()
    assert await count(postgres, principal, "generations") == 1


async def test_all_generations_are_looked_at(
    postgres: Postgres, database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aichat_server.retention.service.forgetting._LOOKED_AT", 2)
    gone = []
    for number in range(7):
        conversation_id = (await exchange(database, principal)).conversation_id
        if number % 3:
            gone.append(conversation_id)
    for conversation_id in gone:
        await Conversations(database).delete(principal, conversation_id)
    assert (await forget(database, principal.org_id, NOW + GENERATIONS_KEPT + DAY)).generations == 4
    assert await count(postgres, principal, "generations") == 3


async def test_failures_are_forgotten_and_the_sums_with_them(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await exchange(database, principal)
    for _ in range(3):
        await fail(database, principal)
    rollups = Rollups(database)
    await rollups.run(NOW + timedelta(hours=2))
    assert (await forget(database, principal.org_id, NOW + FAILURES_KEPT - DAY)).failures == 0
    assert (await forget(database, principal.org_id, NOW + FAILURES_KEPT + DAY)).failures == 3
    await rollups.run(NOW + timedelta(hours=2))
    async with database.session(principal.org_id) as session:
        assert await RollupRepository(session).mismatches(NOW - DAY, NOW + DAY) == ()
    async with connection(postgres.owner_url) as owner:
        turns = await owner.fetchval("SELECT sum(turns) FROM aichat.usage_hourly WHERE org_id = $1", principal.org_id)
    assert turns == 1


async def test_counters_of_periods_that_are_long_over_are_forgotten(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    for period in (QuotaPeriod.MONTH, QuotaPeriod.DAY):
        name = QuotaName(QuotaScope.ORGANIZATION, principal.org_id, period)
        assert await Quotas(database).set(principal.org_id, name, NanoUsd(10**12), None)
    await exchange(database, principal)
    before = await count(postgres, principal, "quota_usage")
    assert before >= 2
    assert (await forget(database, principal.org_id, NOW + QUOTA_PERIODS_KEPT - 40 * DAY)).quota_periods == 0
    assert (await forget(database, principal.org_id, NOW + QUOTA_PERIODS_KEPT + 2 * DAY)).quota_periods == before
    assert await count(postgres, principal, "quotas") == 2
    # The next turn recomputes the sum that it needs.
    await exchange(database, principal)
    assert await count(postgres, principal, "quota_usage") == before


async def test_another_organisation_is_left_alone(postgres: Postgres, database: Database, principal: Principal) -> None:
    other = Principal(uuid4(), uuid4())
    async with database.session(other.org_id, other.actor) as session:
        await OrganizationRepository(session).ensure("Other", other.member_id)
    await fail(database, other)
    await forget(database, principal.org_id, NOW + 2 * FAILURES_KEPT)
    assert await count(postgres, other, "failures") == 1
