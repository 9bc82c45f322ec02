"""Promise 6: every hold of a lost turn is settled once, by what its journal says, and for at most what was held."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.app.stores import build_orphans
from aichat_server.content.parts import ReasoningPart, TextPart, ToolCallPart
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.core.redis.client import open_redis
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import (
    BEGINNING,
    Portion,
    Position,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.generations.gateway.journal import Append, JournalStreams
from aichat_server.generations.gateway.spare_leases import LEASE_SECONDS, SpareLeases
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta, ToolCallDelta, ToolCallStart

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import Begun, Turns, turn
from tests.integration.quotas.ledger import books, holding, limit
from tests.integration.workers.conftest import MODEL, PROVIDER, Reap, expire

MUCH = 10**11


@pytest.fixture
def streams(redis: RedisUnderTest) -> JournalStreams:
    return JournalStreams(redis.client, retention_seconds=600, rescue_seconds=600)


async def begin(database: Database, principal: Principal, text: str = "Hello", held: int = MUCH) -> Begun:
    return await Turns(database).begin(holding(replace(turn(principal, text), model=MODEL, provider=PROVIDER), held))


async def write(
    streams: JournalStreams, principal: Principal, begun: Begun, *events: StreamEvent, model: str = MODEL,
    provider: str = PROVIDER,
) -> None:  # fmt: skip
    """Leaves a journal behind, with its beginning and each event in a portion of its own."""
    key, last = GenerationKey(principal.org_id, begun.generation_id), BEGINNING
    for event in (Started(begun.generation_id, model, provider, MODEL, {}), *events):
        portion = Portion(Position(last.sequence + 1, ended=False), (event,))
        [last] = await streams.append([Append(key, last, portion)])


async def stored(postgres: Postgres, principal: Principal) -> asyncpg.Record:
    (generation,) = (await owner_rows(postgres, principal.org_id))["generations"]
    return generation


async def leases(postgres: Postgres, principal: Principal) -> Sequence[asyncpg.Record]:
    async with connection(postgres.owner_url) as owner:
        return await owner.fetch(
            "SELECT generation_id FROM aichat.leases WHERE org_id = $1 "
            "UNION ALL SELECT generation_id FROM aichat.holds WHERE org_id = $1",
            principal.org_id,
        )


async def test_what_the_vendor_never_came_to_say_is_estimated_from_what_had_come(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    begun = await begin(database, principal, "x" * 40)
    await write(streams, principal, begun, ReasoningDelta("r" * 8), TextDelta("a" * 20), TextDelta("b" * 20))
    await expire(postgres, principal.org_id)
    await reap()
    (event,) = await books(postgres, principal.org_id)
    assert [event[name] for name in ("input_tokens", "output_tokens", "reasoning_tokens")] == [10, 12, 2]
    assert (event["quality"], event["estimate_reason"]) == ("estimated", "SERVER_LOST")
    assert await leases(postgres, principal) == []


async def test_what_the_vendor_had_counted_counts_at_the_price_of_the_model_that_answered(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    begun = await begin(database, principal)
    counted = Usage(input=1000, cache_read=500, cache_write=0, output=1, estimated=True)
    events = (UsageSoFar(counted, NanoUsd(1)), TextDelta("a" * 400))
    await write(streams, principal, begun, *events, model="claude-sonnet-5-5", provider="anthropic")
    await expire(postgres, principal.org_id)
    await reap()
    (event,) = await books(postgres, principal.org_id)
    assert [event[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens")] == [1000, 500, 100]
    assert (event["model"], event["provider"]) == ("claude-sonnet-5-5", "anthropic")
    generation = await stored(postgres, principal)
    assert (generation["model"], generation["requested_model"]) == ("claude-sonnet-5-5", MODEL)


async def test_no_more_is_charged_than_was_held(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    await limit(database, principal, 1000)
    begun = await begin(database, principal, held=7)
    await write(streams, principal, begun, TextDelta("a" * 4000))
    await expire(postgres, principal.org_id)
    await reap()
    (event,) = await books(postgres, principal.org_id)
    assert event["cost_nano_usd"] == 7


async def test_several_workers_at_once_charge_once(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    for _ in range(5):
        await write(streams, principal, await begin(database, principal), TextDelta("a"))
    await expire(postgres, principal.org_id)
    await asyncio.gather(*(reap() for _ in range(4)))
    assert len(await books(postgres, principal.org_id)) == 5
    assert await leases(postgres, principal) == []
    assert len((await owner_rows(postgres, principal.org_id))["messages"]) == 10


async def test_a_conversation_that_was_deleted_gets_no_answer_and_is_charged(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    begun = await begin(database, principal)
    await write(streams, principal, begun, TextDelta("a"))
    await Conversations(database).delete(principal, begun.conversation_id)
    await expire(postgres, principal.org_id)
    await reap()
    assert list(await owner_rows(postgres, principal.org_id)) == ["generations"]
    assert len(await books(postgres, principal.org_id)) == 1


async def test_a_journal_that_cannot_be_read_is_waited_for_as_long_as_it_may_be_there(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await begin(database, principal)
    await expire(postgres, principal.org_id)
    now = datetime.now(UTC)
    # Nobody listens on that port.
    async with open_redis("redis://127.0.0.1:1/0") as away:
        orphans = build_orphans(
            database, JournalStreams(away, retention_seconds=600, rescue_seconds=600), None, rescue_seconds=600
        )
        assert (await orphans.reap(now)).left
        assert (await stored(postgres, principal))["state"] == "running"
        assert [row["generation_id"] for row in await leases(postgres, principal)] == [begun.generation_id] * 2
        await orphans.reap(now + timedelta(seconds=601))
    assert (await stored(postgres, principal))["state"] == "interrupted"
    assert await leases(postgres, principal) == []


async def test_a_worker_whose_clock_is_ahead_ends_nothing_too_early(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams
) -> None:
    await begin(database, principal)
    orphans = build_orphans(database, streams, None, rescue_seconds=600)
    await orphans.reap(datetime.now(UTC) + timedelta(days=1))
    assert (await stored(postgres, principal))["state"] == "running"


async def test_an_answer_whose_process_says_by_redis_that_it_is_alive_is_left_to_it(
    postgres: Postgres, database: Database, redis: RedisUnderTest, principal: Principal, streams: JournalStreams
) -> None:
    begun = await begin(database, principal)
    await expire(postgres, principal.org_id)
    spare = SpareLeases(redis.client)
    orphans = build_orphans(database, streams, spare, rescue_seconds=600)
    await spare.renew([GenerationKey(principal.org_id, begun.generation_id)])
    assert (await orphans.reap(datetime.now(UTC))).left
    assert (await stored(postgres, principal))["state"] == "running"
    # Redis expires it by itself within the length of a lease.
    [name] = await redis.client.keys("aichat:lease:*")
    assert 0 < await redis.client.ttl(name) <= LEASE_SECONDS
    await redis.client.delete(name)
    assert (await orphans.reap(datetime.now(UTC))).ended
    assert (await stored(postgres, principal))["state"] == "interrupted"


async def test_one_that_cannot_be_ended_keeps_no_other(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    unknown = await Turns(database).begin(turn(principal))
    await write(streams, principal, unknown, TextDelta("a"), model="model-1", provider="vendor")
    known = await begin(database, principal)
    await write(streams, principal, known, TextDelta("a"))
    await expire(postgres, principal.org_id)
    assert (await reap()).left
    assert [event["generation_id"] for event in await books(postgres, principal.org_id)] == [known.generation_id]


@pytest.mark.parametrize("failure", [None, Reason.PROVIDER_TIMEOUT, Reason.STORAGE_UNAVAILABLE, Reason.INTERNAL])
async def test_a_journal_is_kept_for_its_rescue_until_the_answers_end_is_stored(
    redis: RedisUnderTest, principal: Principal, failure: Reason | None
) -> None:
    streams = JournalStreams(redis.client, retention_seconds=50, rescue_seconds=500)
    key = GenerationKey(principal.org_id, uuid4())
    name = f"aichat:journal:{{{key.org_id}}}:{key.generation_id}"
    position = Position(1, ended=False)
    await streams.append([Append(key, BEGINNING, Portion(position, (TextDelta("a"),)))])
    assert 400 < await redis.client.ttl(name) <= 500
    error = AichatError(failure, "told by the test") if failure else None
    await streams.append([Append(key, position, Portion(Position(1, ended=True), (), error))])
    stored = failure not in {Reason.STORAGE_UNAVAILABLE, Reason.INTERNAL}
    assert (await redis.client.ttl(name) <= 50) is stored


async def test_p01_of_a_lost_answer_whole_calls_are_kept_and_need_no_results(
    postgres: Postgres, database: Database, principal: Principal, streams: JournalStreams, reap: Reap
) -> None:
    begun = await begin(database, principal)
    whole = ToolCallPart("one", "add", '{"n": 1}')
    call = (ToolCallStart("one", "add"), ToolCallDelta("one", whole.arguments), ToolCallWhole(whole))
    cut = (ToolCallStart("two", "add"), ToolCallDelta("two", '{"n"'))
    await write(streams, principal, begun, ReasoningDelta("Hm."), TextDelta("Let me see."), *call, *cut)
    await expire(postgres, principal.org_id)
    await reap()
    (event,) = await books(postgres, principal.org_id)
    assert event["output_tokens"] > 0
    after = await Turns(database).begin(turn(principal, "On", conversation_id=begun.conversation_id))
    assert after.path[1].parts == (ReasoningPart("Hm."), TextPart("Let me see."), whole)
