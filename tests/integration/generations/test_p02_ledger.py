"""Promise 2: an answer's cost is in the ledger, counts for quotas, and has the price of its moment."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import grpc
import pytest
from aichat.v1 import chat_pb2, options_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    ask,
    conversations,
    refusal,
    script,
    started_of,
    stream,
    text_of,
    times_asked,
)

MODELS = ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"]


async def books(postgres: Postgres, key: ApiKey) -> list[asyncpg.Record]:
    owner = await asyncpg.connect(postgres.owner_url)
    try:
        query = "SELECT * FROM aichat.usage_events WHERE org_id = $1 ORDER BY occurred_at"
        return await owner.fetch(query, UUID(key.organization_id))
    finally:
        await owner.close()


async def limit(database: Database, key: ApiKey, *, hard: int | None = None, soft: int | None = None) -> None:
    """Sets the monthly quota of the key's organisation."""
    org_id = UUID(key.organization_id)
    limits = [None if nano is None else NanoUsd(nano) for nano in (hard, soft)]
    name = QuotaName(QuotaScope.ORGANIZATION, org_id, QuotaPeriod.MONTH)
    assert await Quotas(database).set(org_id, name, *limits)


def nano(event: chat_pb2.StreamChatResponse) -> int:
    """Returns the cost of a completed answer."""
    cost = event.completed.message.cost
    return int(cost.units) * 10**9 + int(cost.nanos)


@pytest.mark.parametrize("model", MODELS)
async def test_completed_agrees_with_the_ledger(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, model: str
) -> None:
    events = await ask(server, api_key, script(deltas=["Guten ", "Tag"]), model=model)
    (event,) = await books(postgres, api_key)
    message = events[-1].completed.message
    assert event["cost_nano_usd"] == nano(events[-1]) > 0
    assert (event["model"], event["provider"]) == (model, started_of(events).provider)
    assert event["generation_id"] == UUID(message.generation_id)
    assert (event["member_id"], event["key_id"]) == (UUID(api_key.member_id), UUID(api_key.key_id))
    assert (event["input_tokens"], event["output_tokens"]) == (message.usage.input_tokens, message.usage.output_tokens)
    assert (event["quality"], event["price_version"]) == ("exact", BEGINNING)
    assert event["raw_usage"] != "{}"


@pytest.mark.parametrize("model", MODELS)
async def test_a_refusal_that_the_vendor_counted_is_in_the_ledger(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, model: str
) -> None:
    assert (await refusal(stream(server, api_key, script(deltas=[], stop="refusal"), model=model))).reason == (
        "ANSWER_REFUSED"
    )
    (event,) = await books(postgres, api_key)
    # Only Anthropic does not charge for a refusal before the first word.
    assert (event["input_tokens"] > 0, event["cost_nano_usd"] > 0) == (True, not model.startswith("claude-"))
    assert event["quality"] == "exact"
    assert await conversations(server, api_key) == []


async def test_a_question_that_no_vendor_accepted_is_not_in_the_ledger(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres
) -> None:
    await refusal(stream(server, api_key, script(status=529)))
    assert await books(postgres, api_key) == []


async def test_a_broken_answer_is_booked_as_an_estimate(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres
) -> None:
    await refusal(stream(server, api_key, script(deltas=["a", "b"], cut_after=1)))
    (event,) = await books(postgres, api_key)
    assert (event["quality"], event["estimate_reason"]) == ("estimated", "PROVIDER_STREAM_BROKEN")


@pytest.mark.parametrize("model", MODELS)
async def test_reasoning_that_was_interrupted_is_booked(
    run_server: RunServer, api_key: ApiKey, postgres: Postgres, model: str
) -> None:
    async with run_server(AICHAT_DRAIN_SECONDS="0.1") as draining:
        thinking = script(reasoning=["let me think " * 4] * 3, deltas=["never"], hang_after=0)
        running = stream(draining, api_key, thinking, model=model)
        async for seen in running:
            if seen.HasField("reasoning_delta"):
                break
        draining.terminate()
        assert (await refusal(running)).reason == "SERVER_DRAINING"
    (event,) = await books(postgres, api_key)
    assert (event["quality"], event["estimate_reason"]) == ("estimated", "SERVER_DRAINING")
    assert event["output_tokens"] >= event["reasoning_tokens"] >= 10


async def test_a_turn_over_the_quota_consumes_nothing_and_can_be_sent_again(
    server: ServerUnderTest, api_key: ApiKey, database: Database, vendors: Vendors, postgres: Postgres
) -> None:
    request_id, text = str(uuid4()), script(deltas=["now"]) + str(uuid4())
    await limit(database, api_key, hard=1000)
    failed = await refusal(stream(server, api_key, text, request_id=request_id))
    assert (failed.reason, failed.code, failed.seen) == ("QUOTA_EXCEEDED", grpc.StatusCode.RESOURCE_EXHAUSTED, [])
    assert failed.metadata["scope"] == "organization"
    assert {name: Decimal(failed.metadata[name]) for name in ("limit", "used", "remaining")} == {
        "limit": Decimal("0.000001"), "used": 0, "remaining": Decimal("0.000001"),
    }  # fmt: skip
    assert failed.metadata["reset_time"].endswith("-01T00:00:00Z")
    assert times_asked(vendors, text) == 0
    assert await conversations(server, api_key) == []
    assert await books(postgres, api_key) == []

    await limit(database, api_key, hard=10**9)
    assert text_of(await ask(server, api_key, text, request_id=request_id)) == "now"


async def test_fewer_tokens_may_fit_where_more_do_not(
    server: ServerUnderTest, api_key: ApiKey, database: Database
) -> None:
    await limit(database, api_key, hard=2_000_000)
    assert (await refusal(stream(server, api_key, script(words=3)))).reason == "QUOTA_EXCEEDED"
    few = options_pb2.ChatOptions(max_output_tokens=10)
    assert (await ask(server, api_key, script(words=3), options=few))[-1].HasField("completed")


async def test_what_is_held_is_the_dearest_of_the_models_that_may_answer(
    run_server: RunServer, server: ServerUnderTest, api_key: ApiKey, database: Database, postgres: Postgres
) -> None:
    cheap, dear = "gpt-6-luna", "claude-opus-5-5"
    few = options_pb2.ChatOptions(max_output_tokens=10)
    async with run_server(AICHAT_FALLBACKS=f"{cheap}={dear}") as falling_back:
        await limit(database, api_key, hard=1_000_000)
        assert (await ask(server, api_key, script(words=3), model=cheap, options=few))[-1].HasField("completed")
        assert (await refusal(stream(falling_back, api_key, script(words=3), model=cheap, options=few))).reason == (
            "QUOTA_EXCEEDED"
        )
        await limit(database, api_key, hard=10**9)
        failing = script(words=3, status=529, fail_times=3) + str(uuid4())
        await ask(falling_back, api_key, failing, model=cheap, options=few)
    assert [event["model"] for event in await books(postgres, api_key)] == [cheap, dear]


async def test_a_soft_limit_refuses_nothing(server: ServerUnderTest, api_key: ApiKey, database: Database) -> None:
    await limit(database, api_key, soft=0)
    for _ in range(2):
        assert (await ask(server, api_key, script(deltas=["yes"])))[-1].HasField("completed")
