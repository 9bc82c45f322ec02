"""A second client of generations, which knows no conversation: promises 1 to 6 hold for its answers, too."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.app.stores import build_orphans
from aichat_server.content.parts import TextPart
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationKey, GenerationState
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started, StreamEvent
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.service.journal import Events
from aichat_server.generations.service.journal_copies import read_copy
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.events import TextDelta
from aichat_server.usage.domain.csv import COLUMNS, lines
from aichat_server.usage.domain.reports import Dimension, UsageQuery
from aichat_server.usage.rpc.messages import event_to_proto
from aichat_server.usage.service.reports import UsageReports

from tests.fixtures.nursery import fork
from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.rows import connection
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import eventually, script, times_asked
from tests.integration.generations.stateless import Asked, Stateless, open_client, text_of
from tests.integration.quotas.ledger import books, counted, limit

SLOW = {"words": 400, "interval_ms": 50}


@pytest.fixture(scope="module")
async def redis() -> AsyncGenerator[RedisUnderTest, None]:
    """One for both replicas."""
    async with run_redis() as server:
        yield server


@pytest.fixture
async def client(
    principal: Principal, server_settings: dict[str, str], redis: RedisUnderTest
) -> AsyncGenerator[Stateless, None]:
    """The client on the replica that writes."""
    async with open_client(principal, {**server_settings, "REDIS_URL": redis.url}) as opened:
        yield opened


@pytest.fixture
async def elsewhere(
    principal: Principal, server_settings: dict[str, str], redis: RedisUnderTest
) -> AsyncGenerator[Stateless, None]:
    """The same client on another replica."""
    async with open_client(principal, {**server_settings, "REDIS_URL": redis.url}) as opened:
        yield opened


async def rows(postgres: Postgres, table: str, org_id: UUID) -> list[asyncpg.Record]:
    async with connection(postgres.owner_url) as owner:
        return await owner.fetch(f"SELECT * FROM aichat.{table} WHERE org_id = $1", org_id)  # noqa: S608


async def knows_no_conversation(postgres: Postgres, principal: Principal) -> bool:
    tables = ("conversations", "messages", "turns")
    return not any([await rows(postgres, table, principal.org_id) for table in tables])


async def first_delta(events: Events) -> int:
    """The number of the first piece of text."""
    async for number, event in events:
        if isinstance(event, TextDelta):
            return number
    raise AssertionError("the answer has no text")


async def test_p02_an_answer_is_held_streamed_and_booked(
    client: Stateless, postgres: Postgres, principal: Principal
) -> None:
    async with aclosing(await client.ask(Asked(script(words=20, interval_ms=20)))) as events:
        first = [await anext(events)]
        (hold,) = await rows(postgres, "holds", principal.org_id)
        seen = first + [event async for event in events]
    completed = seen[-1][1]
    assert isinstance(first[0][1], Started | Heartbeat)
    assert isinstance(completed, Completed)
    (event,) = await books(postgres, principal.org_id)
    assert hold["amount_nano_usd"] >= event["cost_nano_usd"] == completed.answer.cost > 0
    assert event["generation_id"] == hold["generation_id"] == completed.answer.generation_id
    assert event["conversation_id"] is None
    assert [part.text for part in completed.answer.parts if isinstance(part, TextPart)] == [text_of(seen)]
    assert completed.place == {}
    assert set((await counted(postgres, principal.org_id)).values()) <= {event["cost_nano_usd"]}
    assert await rows(postgres, "holds", principal.org_id) == await rows(postgres, "leases", principal.org_id) == []
    assert await knows_no_conversation(postgres, principal)


async def test_p06_a_quota_sees_what_is_held(client: Stateless, database: Database, principal: Principal) -> None:
    await limit(database, principal, 1)
    with pytest.raises(AichatError) as caught:
        await client.answer(Asked(script(words=1)))
    assert caught.value.reason is Reason.QUOTA_EXCEEDED


async def test_p06_a_quota_counts_what_was_charged(
    client: Stateless, database: Database, postgres: Postgres, principal: Principal
) -> None:
    name = await limit(database, principal, 10**12)
    await client.answer(Asked(script(words=5)))
    (event,) = await books(postgres, principal.org_id)
    assert await counted(postgres, principal.org_id) == {(name.scope, name.period): event["cost_nano_usd"]}


async def test_p04_a_stream_is_resumed_here_and_on_another_replica(
    client: Stateless, elsewhere: Stateless, principal: Principal
) -> None:
    asked = Asked(script(words=40, interval_ms=20))
    async with aclosing(await client.ask(asked)) as events:
        reached = await first_delta(events)
    here, there = await asyncio.gather(*(resume(one, asked.generation_id, reached) for one in (client, elsewhere)))
    assert here == there
    assert [number for number, _ in here] == list(range(reached + 1, reached + 1 + len(here)))
    assert isinstance(here[-1][1], Completed)


async def resume(client: Stateless, generation_id: UUID, after: int) -> list[tuple[int, StreamEvent]]:
    """Returns the answer's events behind number `after`."""
    return await read(await client.engine.running.answers.resume(client.principal, generation_id, after))


async def read(events: Events) -> list[tuple[int, StreamEvent]]:
    """Returns the events that are not heartbeats."""
    return [(number, event) async for number, event in events if not isinstance(event, Heartbeat)]


async def failure(events: Events) -> tuple[AichatError, str]:
    """Returns what an answer fails with, and the text before it."""
    seen: list[tuple[int, StreamEvent]] = []
    try:
        async for event in events:
            seen.append(event)  # noqa: PERF401 — the events before the failure are wanted, too
    except AichatError as error:
        return error, text_of(seen)
    raise AssertionError("the answer did not fail")


async def test_p05_an_answer_is_cancelled_on_another_replica_and_charged(
    client: Stateless, elsewhere: Stateless, postgres: Postgres, principal: Principal
) -> None:
    asked = Asked(script(**SLOW))
    async with aclosing(await client.ask(asked)) as events:
        await first_delta(events)
        state = await elsewhere.engine.running.answers.cancel(principal, asked.generation_id)
        assert state is GenerationState.CANCELLED
        error, _ = await failure(events)
    assert error.reason is Reason.GENERATION_CANCELLED
    (event,) = await books(postgres, principal.org_id)
    assert event["error_reason"] == "GENERATION_CANCELLED"
    assert event["cost_nano_usd"] > 0
    assert await knows_no_conversation(postgres, principal)


async def test_p05_an_answer_is_cancelled_when_its_reader_leaves_who_asked_for_that(
    client: Stateless, postgres: Postgres, principal: Principal
) -> None:
    async with aclosing(await client.ask(Asked(script(**SLOW), cancel_on_disconnect=True))) as events:
        await first_delta(events)
    [event] = await eventually(lambda: books(postgres, principal.org_id), bool)
    assert event["error_reason"] == "GENERATION_CANCELLED"


async def test_p03_a_request_id_attaches_to_its_answer_and_is_charged_once(
    client: Stateless, elsewhere: Stateless, postgres: Postgres, principal: Principal, vendors: Vendors
) -> None:
    text, request_id = script(words=20, interval_ms=20) + str(uuid4()), uuid4()
    running = await client.ask(Asked(text, request_id))
    await first_delta(running)
    again, other = await asyncio.gather(
        client.answer(Asked(text, request_id)), elsewhere.answer(Asked(text, request_id))
    )
    await running.aclose()
    ended = await elsewhere.answer(Asked(text, request_id))
    assert text_of(again) == text_of(other) == text_of(ended)
    assert again[-1] == other[-1] == ended[-1]
    assert len(await books(postgres, principal.org_id)) == times_asked(vendors, text) == 1
    with pytest.raises(AichatError) as caught:
        await client.answer(Asked(text + "?", request_id))
    assert caught.value.reason is Reason.REQUEST_ID_REUSED


async def test_p03_one_request_begins_a_generation_in_each_lane(
    client: Stateless, postgres: Postgres, principal: Principal
) -> None:
    text, request_id = script(words=5), uuid4()
    answers = await asyncio.gather(*(client.answer(Asked(text, request_id, lane)) for lane in (0, 1, 0, 1)))
    begun = {event.generation_id for events in answers for _, event in events if isinstance(event, Started)}
    assert len(begun) == len(await books(postgres, principal.org_id)) == 2
    claims = await rows(postgres, "requests", principal.org_id)
    assert {(claim["lane"], claim["request_id"]) for claim in claims} == {(0, request_id), (1, request_id)}


async def test_p03_an_answer_that_failed_without_a_word_is_asked_for_again(
    client: Stateless, principal: Principal, postgres: Postgres
) -> None:
    request_id, text = uuid4(), script(status=400)
    for _ in range(2):
        with pytest.raises(AichatError) as caught:
            await client.answer(Asked(text, request_id))
        assert caught.value.reason is Reason.PROVIDER_REQUEST_REJECTED
    assert len(await rows(postgres, "generations", principal.org_id)) == 2
    assert await rows(postgres, "requests", principal.org_id) == []


async def test_p01_the_answer_of_a_lost_process_is_ended_with_what_its_journal_holds(
    elsewhere: Stateless,
    database: Database,
    redis: RedisUnderTest,
    postgres: Postgres,
    principal: Principal,
    server_settings: dict[str, str],
    tmp_path: Path,
) -> None:
    streams = JournalStreams(redis.client, retention_seconds=600, rescue_seconds=600)
    command = ("tests.integration.generations.stateless", script(**SLOW))
    ids = (str(principal.org_id), str(principal.member_id))
    settings = {**server_settings, "REDIS_URL": redis.url}
    lost = await fork(settings, tmp_path, *command, *ids, errors="log", output="generation")
    said = await eventually(partial(asyncio.to_thread, (tmp_path / "generation").read_text), bool)
    key = GenerationKey(principal.org_id, UUID(said.strip()))
    await eventually(lambda: read_copy(streams, key), lambda portions: len(portions) > 2)
    lost.kill()
    await lost.wait()
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.leases SET expires_at = now() WHERE org_id = $1", principal.org_id)
    await build_orphans(database, streams, None, rescue_seconds=600).reap(datetime.now(UTC))
    (generation,) = await rows(postgres, "generations", principal.org_id)
    assert (generation["state"], generation["error_reason"], generation["sink"]) == (
        "interrupted", "SERVER_LOST", "nothing",
    )  # fmt: skip
    (event,) = await books(postgres, principal.org_id)
    assert event["input_tokens"] > 0 < event["output_tokens"]
    error, text = await failure(await elsewhere.engine.running.answers.resume(principal, key.generation_id, 0))
    assert error.reason is Reason.SERVER_LOST
    assert text
    assert await knows_no_conversation(postgres, principal)


async def test_usage_reports_and_files_have_answers_without_a_conversation(
    client: Stateless, database: Database, principal: Principal
) -> None:
    began = datetime.now(UTC)
    await client.answer(Asked(script(words=3)))
    end = datetime.now(UTC) + timedelta(seconds=1)
    reports = UsageReports(database)
    by_conversation = UsageQuery(began, end, group_by=(Dimension.CONVERSATION,))
    [row] = (await reports.query(principal, by_conversation)).rows
    assert row.group == ("",)
    [event] = (await reports.events(principal, began, end, 10)).items
    assert event_to_proto(event).conversation_id == ""
    [cells] = csv.reader(lines([event]).splitlines())
    assert cells[COLUMNS.index("conversation_id")] == ""
