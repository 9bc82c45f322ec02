"""A database of the previous version with rows of every kind, made through that version's public surface."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

from aichat.v1 import chat_pb2, conversations_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.app.payments import at_stripe
from aichat_server.core.database.database import open_database
from aichat_server.payments.gateway.stripe_calls import StripeConfig, open_stripe

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.stripe import SECRET_KEY, open_sdk, run_stripe
from tests.integration.conversations.asking import Refusal, ask, eventually, first_event, refusal, script, stream
from tests.integration.deployment.versions import Version, minted
from tests.integration.invoices.months import MARCH, USD, open_shop
from tests.integration.usage.books import Entry

HALF = script(deltas=["Half ", "an ans"], error_after=2)
LONG = script(words=2000, interval_ms=100)
# What renewals of leases, jobs and migrations change by themselves.
_IN_MOTION = frozenset({"leases", "holds", "job_runs", "alembic_version", "schema_versions", "platform_limits"})
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'aichat'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""

Rows = dict[str, list[dict[str, object]]]


@dataclass(frozen=True)
class Open:
    """An answer that is being written."""

    text: str
    request_id: str
    started: chat_pb2.StreamChatResponse

    @property
    def generation_id(self) -> str:
        return self.started.started.generation_id

    @property
    def conversation_id(self) -> str:
        return self.started.started.conversation_id


@dataclass(frozen=True)
class Populated:
    """What was put there, and the old server that still serves."""

    old: ServerUnderTest
    key: ApiKey
    asked: str
    answered: list[chat_pb2.StreamChatResponse]
    failed: str
    failure: Refusal
    deleted: str
    running: Open
    lost: Open
    abandoned: UUID


@dataclass(frozen=True)
class Invoiced:
    """Owners of organisations that have an invoice, and the settings by which the payment provider is reached."""

    settings: Mapping[str, str]
    paid: ApiKey
    unpaid: ApiKey


async def begun(server: ServerUnderTest, key: ApiKey, redis: RedisUnderTest) -> Open:
    """Begins an answer; returns once some of its words are in its journal. Its caller has left."""
    text, request_id = LONG, str(uuid4())
    call = stream(server, key, text, request_id=request_id)
    started = await first_event(call)
    name = f"aichat:journal:{{{key.organization_id}}}:{started.started.generation_id}"
    await eventually(lambda: redis.client.xlen(name), lambda length: length > 2)
    call.cancel()
    return Open(text, request_id, started)


async def expire(postgres: Postgres, opened: Open) -> None:
    """Ends the lease of an answer now."""
    async with connection(postgres.owner_url) as owner:
        query = "UPDATE aichat.leases SET expires_at = now() WHERE generation_id = $1"
        await owner.execute(query, opened.generation_id)


def generation_value(key: ApiKey, generation_id: UUID) -> dict[str, object]:
    """Returns a generation as a server of the previous version begins it."""
    ids = {"org_id": key.organization_id, "member_id": key.member_id, "generation_id": str(generation_id)}
    about = {"model": "gpt-6-luna", "provider": "openai", "options": {}, "sink": "message"}
    return {**ids, **about, "hold": {"known": 1, "history": 0, "most": None}}


async def abandon(postgres: Postgres, key: ApiKey) -> UUID:
    """Abandons a generation before its beginning arrives, as a server of the previous version does."""
    generation_id = uuid4()
    async with connection(postgres.app_url) as app:
        failure = {"error_reason": "INTERNAL", "error_message": "gone"}
        await app.execute("SELECT aichat.abandon_turn($1)", json.dumps(generation_value(key, generation_id) | failure))
    return generation_id


@asynccontextmanager
async def invoiced(before: Version, postgres: Postgres, folder: Path) -> AsyncGenerator[Invoiced, None]:
    """Has the previous version make two invoices: one is paid, and one cannot be collected."""
    async with AsyncExitStack() as stack:
        stripe = await stack.enter_async_context(run_stripe(folder))
        client = await stack.enter_async_context(open_sdk(stripe.url))
        calls = await stack.enter_async_context(open_stripe(StripeConfig(SECRET_KEY, stripe.url)))
        database = await stack.enter_async_context(open_database(postgres.app_url))
        settings = {"STRIPE_SECRET_KEY": SECRET_KEY, "AICHAT_STRIPE_BASE_URL": stripe.url}
        billing = replace(before, environment={**before.environment, **settings})
        keys = []
        for card in ("pm_card_visa", "pm_card_chargeCustomerFail"):
            shop = await open_shop(postgres, database, at_stripe(calls), client, stripe, card=card)
            await shop.use(Entry(MARCH.start, 30 * USD))
            keys.append(await minted(before, "--organization-id", str(shop.org_id), "--owner"))
        for _ in range(2):
            # What Stripe has tried is seen when it is looked at again.
            await billing.run("aichat_server", "invoices", "run", "--month", MARCH.name)
        yield Invoiced(settings, *keys)


@asynccontextmanager
async def populated(before: Version, postgres: Postgres, redis: RedisUnderTest) -> AsyncGenerator[Populated, None]:
    """Fills the database. One answer is being written then, and the server of another one was killed."""
    key = await minted(before, "--organization", "Before", "--plan", "team")
    quota = ("--organization-id", key.organization_id, "--hard", "1000")
    await before.done("aichat_server", "quotas", "set", *quota)
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(before.serving())
        asked, failed = str(uuid4()), str(uuid4())
        answered = await ask(old, key, "Hello", request_id=asked)
        await ask(old, key, "On", conversation_id=answered[0].started.conversation_id)
        failure = await refusal(stream(old, key, HALF, request_id=failed))
        deleted = (await ask(old, key, "Forget this"))[0].started.conversation_id
        request = conversations_pb2.DeleteConversationRequest(conversation_id=deleted)
        await old.conversations.DeleteConversation(request, metadata=key.metadata)
        async with replace(before, folder=before.folder / "second").serving() as second:
            lost = await begun(second, key, redis)
            second.process.kill()
            await second.process.wait()
        running = await begun(old, key, redis)
        abandoned = await abandon(postgres, key)
        yield Populated(old, key, asked, answered, failed, failure, deleted, running, lost, abandoned)


async def all_rows(postgres: Postgres) -> Rows:
    """Returns every row of every table, without those that change by themselves."""
    found: Rows = {}
    async with connection(postgres.owner_url) as owner:
        for (table,) in await owner.fetch(_TABLES):
            if table not in _IN_MOTION:
                rows = await owner.fetch(f"SELECT to_jsonb(t) FROM aichat.{table} AS t ORDER BY 1")  # noqa: S608
                found[table] = [json.loads(row[0]) for row in rows]
    return found
