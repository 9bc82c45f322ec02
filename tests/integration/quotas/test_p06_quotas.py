"""Promise 6: concurrent turns never exceed a hard quota, and a leaked hold blocks nobody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.models.domain.pricing import Hold
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas

from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import Begun, Turns, completed, exchange, failed, message_of, turn
from tests.integration.quotas.ledger import begin, books, costing, counted, holding, limit, refused, spend


@pytest.fixture
async def keyed(database: Database, principal: Principal) -> Principal:
    """Returns a member with an API key."""
    key_id = uuid4()
    async with database.session(principal.org_id, principal.actor) as session:
        await ApiKeyRepository(session).add(key_id, principal.member_id, b"hash", None)
    return replace(principal, key_id=key_id)


async def test_of_fifty_at_once_as_many_begin_as_fit(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await spend(database, principal, 95)
    await limit(database, principal, 1000)
    turns = [holding(turn(principal), 100) for _ in range(50)]
    async with open_database(postgres.app_url, pool_size=60) as many:
        results: list[Begun | BaseException] = await asyncio.gather(
            *(Turns(many).begin(one) for one in turns), return_exceptions=True
        )
    begun = [result for result in results if isinstance(result, Begun)]
    assert len(begun) == 9
    assert all(isinstance(r, AichatError) and r.reason is Reason.QUOTA_EXCEEDED for r in results if r not in begun)
    await asyncio.gather(*(Turns(database).end(costing(completed(principal, one), 100)) for one in begun))
    charged = sum(event["cost_nano_usd"] for event in await books(postgres, principal.org_id))
    assert charged == 995
    assert await counted(postgres, principal.org_id) == {("organization", "month"): charged}
    assert await refused(database, holding(turn(principal), 6))
    assert await refused(database, holding(turn(principal), 5)) is None


async def test_turns_that_begin_and_end_at_once_stay_within(
    postgres: Postgres, database: Database, keyed: Principal
) -> None:
    for scope in QuotaScope:
        for period in QuotaPeriod:
            await limit(database, keyed, 1000, scope=scope, period=period)

    async def one(number: int) -> None:
        asked = holding(turn(keyed), 40)
        if await refused(database, asked):
            return
        ids = (asked.generation_id, asked.conversation_id, asked.user_message_id, asked.message_id)
        end = failed if number % 3 == 0 else completed
        await Turns(database).end(costing(end(keyed, Begun(*ids, ())), 40 - number % 7))

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(one(number))
    charged = sum(event["cost_nano_usd"] for event in await books(postgres, keyed.org_id))
    assert 900 < charged <= 1000
    assert set((await counted(postgres, keyed.org_id)).values()) == {charged}
    assert {quota.held for quota in await Quotas(database).list(keyed.org_id)} == {0}


async def test_a_refusal_says_what_is_left_and_leaves_nothing(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 2_500_000_000)
    await spend(database, principal, 1_000_000_000)
    await begin(database, principal, 500_000_000)
    before = await owner_rows(postgres, principal.org_id)
    request_id = uuid4()
    asked = holding(turn(principal, request_id=request_id), 1_000_000_001)
    error = await refused(database, asked)
    assert error is not None
    now = datetime.now(UTC)
    reset_time = datetime(now.year + now.month // 12, now.month % 12 + 1, 1)  # noqa: DTZ001 — as text
    assert error.metadata == {
        "scope": "organization",
        "period": "month",
        "limit": "2.5",
        "used": "1.5",
        "remaining": "1",
        "reset_time": f"{reset_time.isoformat()}Z",
    }
    assert error.quota_subject == f"organization:{principal.org_id}"
    assert "1.000000001 USD" in error.message
    assert await owner_rows(postgres, principal.org_id) == before
    assert (await Turns(database).begin(holding(asked, 1_000_000_000))).known is None


async def test_a_known_request_id_is_answered_however_little_is_left(database: Database, principal: Principal) -> None:
    asked = turn(principal, request_id=uuid4())
    answer = await Turns(database).end(completed(principal, await Turns(database).begin(asked)))
    await limit(database, principal, 0)
    known = (await Turns(database).begin(asked)).known
    assert known is not None
    assert message_of(principal.org_id, known) == answer


async def test_what_the_history_may_cost_is_held_too_but_not_more_than_the_context(
    database: Database, principal: Principal
) -> None:
    first = await exchange(database, principal, "x" * 1000)
    follow = turn(principal, conversation_id=first.conversation_id)
    dear = NanoUsd(1_000_000)
    await limit(database, principal, 123_456 + 2000)
    assert await refused(database, replace(follow, hold=Hold(NanoUsd(1), dear, None)))
    assert await refused(database, replace(follow, hold=Hold(NanoUsd(1), dear, NanoUsd(2001))))
    assert await refused(database, replace(follow, hold=Hold(NanoUsd(1), dear, NanoUsd(2000)))) is None


async def test_a_member_and_a_key_have_quotas_of_their_own(database: Database, keyed: Principal) -> None:
    without_key = replace(keyed, key_id=None)
    await limit(database, keyed, 300)
    await limit(database, keyed, 200, scope=QuotaScope.MEMBER)
    await limit(database, keyed, 100, scope=QuotaScope.KEY, period=QuotaPeriod.DAY)
    await spend(database, keyed, 100)
    by_key = await refused(database, holding(turn(keyed), 1))
    assert by_key is not None
    assert (by_key.metadata["scope"], by_key.metadata["period"]) == ("key", "day")
    await spend(database, without_key, 100)
    by_member = await refused(database, holding(turn(without_key), 1))
    assert by_member is not None
    assert by_member.metadata["scope"] == "member"


@pytest.mark.parametrize("period", QuotaPeriod)
@pytest.mark.parametrize("scope", QuotaScope)
async def test_each_scope_and_period_is_refused_by_its_own_name(
    database: Database, keyed: Principal, scope: QuotaScope, period: QuotaPeriod
) -> None:
    name = await limit(database, keyed, 100, scope=scope, period=period)
    await spend(database, keyed, 60)
    assert await refused(database, holding(turn(keyed), 40)) is None
    error = await refused(database, holding(turn(keyed), 1))
    assert error is not None
    resets_at = datetime.fromisoformat(error.metadata.pop("reset_time"))
    assert error.metadata == {
        "scope": scope.value, "period": period.value, "limit": "0.0000001", "used": "0.0000001", "remaining": "0",
    }  # fmt: skip
    assert error.quota_subject == f"{scope}:{name.id}"
    assert (resets_at.hour, resets_at.minute, resets_at.second) == (0, 0, 0)
    assert resets_at - datetime.now(UTC) <= timedelta(days=31 if period is QuotaPeriod.MONTH else 1)


@pytest.mark.parametrize("period", QuotaPeriod)
@pytest.mark.parametrize("scope", QuotaScope)
async def test_a_soft_limit_lets_pass_and_shows(
    database: Database, keyed: Principal, scope: QuotaScope, period: QuotaPeriod
) -> None:
    name = await limit(database, keyed, None, soft=50, scope=scope, period=period)
    await spend(database, keyed, 80)
    await begin(database, keyed, 30)
    (quota,) = await Quotas(database).list(keyed.org_id)
    assert (quota.name, quota.hard, quota.soft, quota.charged, quota.held) == (name, None, 50, 80, 30)


async def test_a_new_quota_counts_what_was_spent_and_what_is_running(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await spend(database, principal, 40)
    await begin(database, principal, 30)
    await limit(database, principal, 100)
    assert await refused(database, holding(turn(principal), 31))
    assert await counted(postgres, principal.org_id) == {}, "a refused turn leaves nothing, not even a counter"
    assert await refused(database, holding(turn(principal), 30)) is None
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 40}


async def test_a_quota_can_be_raised_and_taken_away(database: Database, principal: Principal) -> None:
    name = await limit(database, principal, 10)
    assert await refused(database, holding(turn(principal), 20))
    await limit(database, principal, 20)
    assert await refused(database, holding(turn(principal), 20)) is None
    assert await refused(database, holding(turn(principal), 1))
    assert await Quotas(database).remove(principal.org_id, name)
    assert not await Quotas(database).remove(principal.org_id, name)
    assert await refused(database, holding(turn(principal), 10**15)) is None


async def test_nobody_gets_a_quota_who_is_not_there(database: Database, principal: Principal, other: Principal) -> None:
    for scope, owner in ((QuotaScope.MEMBER, other.member_id), (QuotaScope.KEY, uuid4())):
        name = QuotaName(scope, owner, QuotaPeriod.DAY)
        assert not await Quotas(database).set(principal.org_id, name, NanoUsd(1), None)


async def test_last_months_spending_does_not_count(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    now = datetime.now(UTC)
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    await spend(database, principal, 10)
    (event,) = await books(postgres, principal.org_id)
    async with connection(postgres.owner_url) as owner:
        for cost, at in ((1000, month - timedelta(microseconds=1)), (20, month)):
            copy = "INSERT INTO aichat.usage_events SELECT (jsonb_populate_record(e, $2)).* FROM aichat.usage_events e"
            begun = await begin(database, principal, 0)
            changes = {"generation_id": str(begun.generation_id), "cost_nano_usd": cost, "occurred_at": at.isoformat()}
            await owner.execute(f"{copy} WHERE e.generation_id = $1", event["generation_id"], json.dumps(changes))
    await limit(database, principal, 100)
    assert await refused(database, holding(turn(principal), 71))
    assert await refused(database, holding(turn(principal), 70)) is None
