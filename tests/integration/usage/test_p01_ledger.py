"""Promise 1: the ledger has each generation once, with its answer, at the cost that the answer shows."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.usage import Usage

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import COST, PRICE_VERSION, Turns, completed, failed, turn
from tests.integration.quotas.ledger import begin, books, costing


async def test_an_answer_is_in_the_ledger_with_all_its_details(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    assert await books(postgres, principal.org_id) == []
    answer = await Turns(database).end(replace(completed(principal, begun), first_delta_ms=7))
    (event,) = await books(postgres, principal.org_id)
    assert answer is not None
    assert answer.answer is not None
    assert event["cost_nano_usd"] == answer.answer.cost == COST
    assert event["occurred_at"] <= answer.created_at
    found = dict(event)
    del found["occurred_at"]
    assert found.pop("duration_ms") >= 0
    assert found == {
        "org_id": principal.org_id,
        "generation_id": begun.generation_id,
        "conversation_id": begun.conversation_id,
        "member_id": principal.member_id,
        "key_id": None,
        "provider": "vendor",
        "model": "model-1",
        "price_version": PRICE_VERSION,
        "input_tokens": 10,
        "cache_read_tokens": 20,
        "cache_write_tokens": 30,
        "cache_write_1h_tokens": 50,
        "output_tokens": 40,
        "reasoning_tokens": 5,
        "web_searches": 6,
        "raw_usage": '{"input_tokens": 60}',
        "quality": "exact",
        "estimate_reason": None,
        "cost_nano_usd": COST,
        "error_reason": None,
        "first_delta_ms": 7,
    }


async def test_ending_again_books_nothing_more(postgres: Postgres, database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Turns(database).end(completed(principal, begun))
    before = await books(postgres, principal.org_id)
    await Turns(database).end(costing(completed(principal, begun), 1))
    await Turns(database).end(failed(principal, begun))
    assert await books(postgres, principal.org_id) == before
    assert len(before) == 1


async def test_what_the_vendor_charged_is_booked_however_the_turn_ended(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    refused = await Turns(database).begin(turn(principal))
    await Turns(database).end(failed(principal, refused))
    deleted = await Turns(database).begin(turn(principal))
    await Conversations(database).delete(principal, deleted.conversation_id)
    await Turns(database).end(completed(principal, deleted))
    events = await books(postgres, principal.org_id)
    assert [event["generation_id"] for event in events] == [refused.generation_id, deleted.generation_id]
    assert [event["cost_nano_usd"] for event in events] == [COST, COST]


async def test_a_failed_turn_without_usage_is_not_in_the_ledger(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Turns(database).end(costing(replace(failed(principal, begun), usage=Usage(), raw_usage={}), 0))
    assert await books(postgres, principal.org_id) == []


@pytest.mark.parametrize("state", [GenerationState.FAILED, GenerationState.INTERRUPTED])
async def test_an_incomplete_answer_is_charged_at_most_its_hold(
    postgres: Postgres, database: Database, principal: Principal, state: GenerationState
) -> None:
    for cost in (70, 50):
        begun = await begin(database, principal, 60)
        answer = await Turns(database).end(costing(failed(principal, begun, "Half", state), cost))
        assert answer is not None
        assert answer.answer is not None
        assert answer.answer.cost == min(cost, 60)
    assert [event["cost_nano_usd"] for event in await books(postgres, principal.org_id)] == [60, 50]


async def test_an_estimate_says_why(postgres: Postgres, database: Database, principal: Principal) -> None:
    usage = Usage(input=3, output=1, estimated=True)
    for make in (completed, failed):
        begun = await Turns(database).begin(turn(principal))
        await Turns(database).end(replace(make(principal, begun), usage=usage))
    found = [(event["quality"], event["estimate_reason"]) for event in await books(postgres, principal.org_id)]
    assert found == [("estimated", "USAGE_MISSING"), ("estimated", "PROVIDER_TIMEOUT")]


@pytest.mark.parametrize("table", ["usage_events", "prices"])
@pytest.mark.parametrize(
    "statement", ["UPDATE aichat.{} SET model = 'x'", "DELETE FROM aichat.{}", "TRUNCATE aichat.{}"]
)
async def test_nobody_changes_the_ledger_or_a_price(postgres: Postgres, table: str, statement: str) -> None:
    async with connection(postgres.app_url) as app, connection(postgres.owner_url) as owner:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement.format(table))
        with pytest.raises(asyncpg.RestrictViolationError, match="added to, never changed"):
            await owner.execute(statement.format(table))
