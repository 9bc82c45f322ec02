"""Promise 21: a database with rows of every kind is migrated, and holds, streams, requests and invoices are right."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest
from aichat.v1 import billing_pb2, billing_pb2_grpc, invoices_pb2, messages_pb2, options_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.rows import connection
from tests.fixtures.server import ServerUnderTest
from tests.integration.conversations.asking import (
    ask,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
)
from tests.integration.deployment.populated import (
    HALF,
    Invoiced,
    Populated,
    Rows,
    all_rows,
    begun,
    expire,
    generation_value,
    invoiced,
    populated,
)
from tests.integration.deployment.versions import Version
from tests.integration.generations.replicas.following import cancel, resume, wire
from tests.integration.invoices.months import MARCH

FILLED = (
    "organizations", "members", "api_keys", "conversations", "messages", "generations", "usage_events", "usage_hourly",
    "failures", "quotas", "quota_usage", "closed_books", "plan_periods", "subscriptions", "invoices", "invoice_lines",
    "unpaid_invoices", "unpaid_notices", "outbox",
)  # fmt: skip


GROWING = ("prices",)
"""Tables that a migration adds rows to: models that the version before did not know have prices now."""


@dataclass(frozen=True)
class Migrated:
    """A database before and after, with a server of each version on it."""

    was: Rows
    became: Rows
    old: Populated
    invoiced: Invoiced
    new: ServerUnderTest


@pytest.fixture(scope="module")
async def redis() -> AsyncGenerator[RedisUnderTest, None]:
    """One for both versions."""
    async with run_redis() as server:
        yield server


def with_redis(version: Version, redis: RedisUnderTest) -> Version:
    return replace(version, environment={**version.environment, "REDIS_URL": redis.url})


@pytest.fixture(scope="module")
async def migrated(
    before: Version, now: Version, empty: Postgres, redis: RedisUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Migrated, None]:
    """Migrates while an old server writes one answer, and the server of another one is lost."""
    before, now = with_redis(before, redis), with_redis(now, redis)
    (before.folder / "second").mkdir()
    await before.done("aichat_server", "migrate")
    async with AsyncExitStack() as stack:
        invoices = await stack.enter_async_context(invoiced(before, empty, tmp_path_factory.mktemp("stripe")))
        old = await stack.enter_async_context(populated(before, empty, redis))
        await before.done("aichat_workers", "run", "rollups")
        was = await all_rows(empty)
        await now.done("aichat_server", "migrate")
        became = await all_rows(empty)
        serving = replace(now, environment={**now.environment, **invoices.settings}).serving()
        yield Migrated(was, became, old, invoices, await stack.enter_async_context(serving))


async def count(postgres: Postgres, query: str, *arguments: object) -> int:
    async with connection(postgres.owner_url) as owner:
        return int(await owner.fetchval(query, *arguments))


def test_every_row_is_as_it_was(migrated: Migrated) -> None:
    for table in FILLED:
        assert migrated.was[table], f"{table} was left empty"
    for table, rows in migrated.was.items():
        became = migrated.became[table]
        if table in GROWING:
            became = [row for row in became if any(old.items() <= row.items() for old in rows)]
        kept = [{name: row[name] for name in old} for old, row in zip(rows, became, strict=True)]
        assert kept == rows, table
    assert all(row["sink"] == "message" for row in migrated.became["generations"])


async def test_requests_attach_to_what_they_began(migrated: Migrated, empty: Postgres) -> None:
    old, new = migrated.old, migrated.new
    generations = await count(empty, "SELECT count(*) FROM aichat.generations")
    again = await ask(new, old.key, "Hello", request_id=old.asked)
    assert (again[0].started, text_of(again)) == (old.answered[0].started, text_of(old.answered))
    failed = await refusal(stream(new, old.key, HALF, request_id=old.failed))
    assert (failed.reason, failed.message, text_of(failed.seen)) == (
        old.failure.reason, old.failure.message, text_of(old.failure.seen)
    )  # fmt: skip
    reused = await refusal(stream(new, old.key, "Other words", request_id=old.asked))
    assert reused.reason == "REQUEST_ID_REUSED"
    assert await count(empty, "SELECT count(*) FROM aichat.generations") == generations


async def test_an_answer_that_the_old_server_writes_is_resumed_cancelled_and_stored(
    migrated: Migrated, empty: Postgres
) -> None:
    old, new, running = migrated.old, migrated.new, migrated.old.running
    held = "SELECT count(*) FROM aichat.holds WHERE generation_id = $1"
    assert await count(empty, held, UUID(running.generation_id)) == 1
    attached = stream(new, old.key, running.text, request_id=running.request_id)
    assert (await first_event(attached)).started == running.started.started
    # The one that writes it stores how it ended, by the functions that it knows.
    await cancel(new, old.key, running.generation_id)
    ended = await refusal(attached)
    assert ended.reason == "GENERATION_CANCELLED"
    _, answer = await history(new, old.key, running.conversation_id)
    assert answer.state == messages_pb2.MESSAGE_STATE_CANCELLED
    assert answer.parts[0].text.text == text_of(ended.seen) != ""
    assert await count(empty, held, UUID(running.generation_id)) == 0


async def test_p20_the_old_server_reads_the_text_of_what_the_new_one_writes(migrated: Migrated) -> None:
    old, new = migrated.old, migrated.new
    tools = options_pb2.ChatOptions(tools=[options_pb2.Tool(name="add", description="Adds.")])
    text = script(reasoning=["Hm."], deltas=["Let me see."])
    events = await ask(new, old.key, text, model="claude-sonnet-5-5")
    started = started_of(events)
    again = [event async for event in resume(old.old, old.key, started.generation_id)]
    assert (text_of(again), again[-1].WhichOneof("event")) == ("Let me see.", "completed")
    calling = script(deltas=["Let me add."], tools=[{"name": "add"}])
    place = {"model": "claude-sonnet-5-5", "conversation_id": started.conversation_id, "options": tools}
    called = (await ask(new, old.key, calling, **place))[-1].completed.message
    assert called.stop_reason == messages_pb2.STOP_REASON_TOOL_USE
    read = await history(old.old, old.key, started.conversation_id)
    texts = [[part.text.text for part in message.parts if part.HasField("text")] for message in read[1::2]]
    assert texts == [["Let me see."], ["Let me add."]]
    # It knows the call, too, and asks for its result.
    refused = await refusal(stream(old.old, old.key, "On", conversation_id=started.conversation_id))
    assert refused.reason == "TOOL_RESULTS_MISMATCHED"


@pytest.mark.parametrize("ends", ["new", "old"])
async def test_a_lost_answer_is_ended_by_workers_of_either_version(
    migrated: Migrated, empty: Postgres, before: Version, now: Version, redis: RedisUnderTest, ends: str
) -> None:
    old = migrated.old
    worker, lost = now, old.lost
    if ends == "old":
        worker = before
        second = now.folder / "second"
        second.mkdir()
        async with replace(with_redis(now, redis), folder=second).serving() as server:
            lost = await begun(server, old.key, redis)
            server.process.kill()
            await server.process.wait()
    await expire(empty, lost)
    await with_redis(worker, redis).done("aichat_workers", "run", "orphans")
    _, answer = await history(migrated.new, old.key, lost.conversation_id)
    assert answer.state == messages_pb2.MESSAGE_STATE_INTERRUPTED
    assert answer.parts[0].text.text
    told = await refusal(stream(migrated.new, old.key, lost.text, request_id=lost.request_id))
    assert (told.reason, text_of(told.seen)) == ("SERVER_LOST", answer.parts[0].text.text)
    async with connection(empty.owner_url) as owner:
        query = "SELECT * FROM aichat.usage_events WHERE generation_id = $1"
        event = await owner.fetchrow(query, UUID(lost.generation_id))
    assert event is not None
    assert str(event["conversation_id"]) == lost.conversation_id
    # The model's input is counted, whichever version began the answer and whichever ends it.
    assert event["input_tokens"] == -(-len(lost.text) // 4)
    left = "SELECT (SELECT count(*) FROM aichat.holds WHERE generation_id = $1) + (SELECT count(*) FROM aichat.leases "
    assert await count(empty, f"{left} WHERE generation_id = $1)", UUID(lost.generation_id)) == 0


async def test_what_was_abandoned_stays_so_and_its_request_begins(migrated: Migrated, empty: Postgres) -> None:
    old = migrated.old
    answer = {"message_id": str(uuid4()), "generation": generation_value(old.key, old.abandoned)}
    late = {
        "conversation_id": str(uuid4()), "new_conversation": True, "title": "Late", "user_message_id": str(uuid4()),
        "parts": [], "answers": [answer], "lease_seconds": 30, "hold_seconds": 300, "fail_closed": False,
    }  # fmt: skip
    query = "SELECT known #>> '{0,state}' FROM aichat.begin_turn($1)"
    async with connection(empty.app_url) as app:
        assert await app.fetchval(query, json.dumps(late)) == "failed"


async def test_invoices_are_proven(migrated: Migrated) -> None:
    billing = billing_pb2_grpc.BillingServiceStub(migrated.new.channel)
    verify = billing.VerifyInvoice
    stages = {
        migrated.invoiced.paid: invoices_pb2.INVOICE_STAGE_PAID,
        migrated.invoiced.unpaid: invoices_pb2.INVOICE_STAGE_FINALIZED,
    }
    for key, stage in stages.items():
        proof = await verify(billing_pb2.VerifyInvoiceRequest(month=MARCH.name), metadata=key.metadata)
        assert (proof.proven, proof.difference, proof.stage) == (True, "", stage)


async def test_conversations_go_on_and_the_books_agree(migrated: Migrated, now: Version, empty: Postgres) -> None:
    old, new = migrated.old, migrated.new
    conversation_id = old.answered[0].started.conversation_id
    for server in (new, old.old, new):
        events = await ask(server, old.key, "More", conversation_id=conversation_id)
        assert events[-1].WhichOneof("event") == "completed"
    assert wire([events[-1]])
    assert len(await history(new, old.key, conversation_id)) == 10
    assert (await refusal(stream(new, old.key, "On", conversation_id=old.deleted))).reason == "CONVERSATION_NOT_FOUND"
    await now.done("aichat_workers", "run", "rollups")
    await now.done("aichat_server", "usage", "verify", "--organization-id", old.key.organization_id)
    charged = "SELECT sum(cost_nano_usd) FROM aichat.usage_events WHERE org_id = $1"
    counted = "SELECT charged_nano_usd FROM aichat.quota_usage WHERE org_id = $1 AND period = 'month'"
    org_id = UUID(old.key.organization_id)
    assert await count(empty, counted, org_id) == await count(empty, charged, org_id)
