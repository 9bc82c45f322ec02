"""Promise 3: embeddings are charged once, when a call is repeated, its caller goes away, or its server is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.vendors.embeddings import OTHERS
from aichat_server.app.embeddings import build_embeddings
from aichat_server.app.engine import Engine, open_engine
from aichat_server.app.stores import build_orphans
from aichat_server.compat.domain.readers import Reader, Slot
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.compat.service.embedding_readers import EmbeddingReaders
from aichat_server.compat.service.waiting import WaitingAnswers
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.embeddings.domain.embeddings import AskedEmbeddings, Embedded
from aichat_server.embeddings.gateway import kept_vectors
from aichat_server.embeddings.service.call import EmbeddingCall
from aichat_server.embeddings.service.embeddings import Embeddings
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import add_prices
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer

from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.rows import connection
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import eventually, script, times_asked
from tests.integration.quotas.ledger import books, limit

MODEL = "text-embedding-3-small"


class Replica:
    """One of two servers."""

    def __init__(self, engine: Engine, embeddings: Embeddings) -> None:
        self.engine = engine
        self.embeddings = embeddings

    async def embed(self, principal: Principal, text: str, request_id: UUID | None = None) -> Embedded:
        """Returns the vector of a text."""
        return await self.embeddings.create(principal, AskedEmbeddings(MODEL, (text,), request_id=request_id))


@asynccontextmanager
async def replica(settings: dict[str, str]) -> AsyncGenerator[Replica, None]:
    async with AsyncExitStack() as stack:
        values: dict[str, object] = {**settings}
        read = Settings(_env_file=None, **values)  # type: ignore[arg-type]
        engine = await stack.enter_async_context(open_engine(read, Observer()))
        yield Replica(engine, build_embeddings(engine, Observer()))


@pytest.fixture(scope="module")
async def redis() -> AsyncGenerator[RedisUnderTest, None]:
    """One for both replicas."""
    async with run_redis() as server:
        yield server


@pytest.fixture(scope="module")
async def replicas(
    server_settings: dict[str, str], postgres: Postgres, redis: RedisUnderTest
) -> AsyncGenerator[tuple[Replica, Replica], None]:
    """Two servers in this process."""
    settings = {**server_settings, "REDIS_URL": redis.url, "AICHAT_DATABASE_POOL_SIZE": "2"}
    async with replica(settings) as one, replica(settings) as other:
        yield one, other


async def rows(postgres: Postgres, table: str, principal: Principal) -> list[asyncpg.Record]:
    async with connection(postgres.owner_url) as owner:
        return await owner.fetch(f"SELECT * FROM aichat.{table} WHERE org_id = $1", principal.org_id)  # noqa: S608


async def reason(embedded: asyncio.Future[Embedded] | asyncio.Task[Embedded]) -> Reason:
    with pytest.raises(AichatError) as caught:
        await embedded
    return caught.value.reason


async def test_p03_a_repeated_call_gets_the_same_vectors_and_is_charged_once(
    replicas: tuple[Replica, Replica], postgres: Postgres, principal: Principal, vendors: Vendors, redis: RedisUnderTest
) -> None:
    here, there = replicas
    text, request_id = script(interval_ms=1000) + str(uuid4()), uuid4()
    first = asyncio.create_task(here.embed(principal, text, request_id))
    await eventually(lambda: rows(postgres, "holds", principal), bool)
    # The first one runs, where only the same process reaches it.
    assert await reason(asyncio.create_task(there.embed(principal, text, request_id))) is Reason.GENERATION_IN_PROGRESS
    again = await here.embed(principal, text, request_id)
    assert again == await first == await there.embed(principal, text, request_id)
    other = asyncio.create_task(there.embed(principal, text + "?", request_id))
    assert await reason(other) is Reason.REQUEST_ID_REUSED
    await redis.client.flushall()
    assert await reason(asyncio.create_task(here.embed(principal, text, request_id))) is Reason.GENERATION_NOT_RESUMABLE
    (event,) = await books(postgres, principal.org_id)
    assert event["cost_nano_usd"] == again.cost > 0
    assert times_asked(vendors, text) == 1
    assert await rows(postgres, "holds", principal) == await rows(postgres, "leases", principal) == []


async def test_p03_a_call_that_failed_gives_its_request_id_back(
    replicas: tuple[Replica, Replica], postgres: Postgres, principal: Principal
) -> None:
    text, request_id = script(status=400, fail_times=1) + str(uuid4()), uuid4()
    failed = asyncio.create_task(replicas[0].embed(principal, text, request_id))
    assert await reason(failed) is Reason.PROVIDER_REQUEST_REJECTED
    assert await books(postgres, principal.org_id) == []
    embedded = await replicas[1].embed(principal, text, request_id)
    (event,) = await books(postgres, principal.org_id)
    assert event["generation_id"] == embedded.generation_id


def readers_of(replica: Replica, redis: RedisUnderTest) -> EmbeddingReaders:
    """What OpenAI's API asks on a replica."""
    shared, spawn = SharedReaders(redis.client), replica.engine.running.generations.spawn
    waiting = WaitingAnswers(shared, spawn, when_over=lambda _: None)
    return EmbeddingReaders(replica.embeddings, replica.engine.running.generations, waiting, window_seconds=30)


async def read(readers: EmbeddingReaders, principal: Principal, text: str, retries: bool | None = None) -> Embedded:
    """Reads the vector of a text to its end. `retries`: whether the call says that it is a retry."""
    reader = Reader(principal, Slot(principal.org_id, text.encode()), retries=retries)
    async with readers.vectors(reader, AskedEmbeddings(MODEL, (text,))) as embedded:
        return embedded


async def test_p17_a_call_that_is_repeated_without_a_key_gets_the_same_vectors(
    replicas: tuple[Replica, Replica], postgres: Postgres, principal: Principal, vendors: Vendors, redis: RedisUnderTest
) -> None:
    here, there = (readers_of(one, redis) for one in replicas)
    text = script(interval_ms=500) + str(uuid4())

    async def waiting() -> list[bytes]:
        keys = await redis.client.keys(f"aichat:readers:{{{principal.org_id}}}*")
        return [key for key in keys if isinstance(key, bytes) and not key.endswith(b"live")]

    cut = asyncio.create_task(read(here, principal, text))
    await eventually(lambda: rows(postgres, "holds", principal), bool)
    cut.cancel()
    await eventually(waiting, bool)
    again = await read(there, principal, text)
    assert times_asked(vendors, text) == len(await books(postgres, principal.org_id)) == 1
    first = await read(there, principal, text, retries=False)
    await eventually(waiting, bool)
    retried = await read(here, principal, text, retries=True)
    assert first == retried != again
    both = await asyncio.gather(read(here, principal, text), read(there, principal, text))
    assert len({one.generation_id for one in both}) == 2
    assert times_asked(vendors, text) == len(await books(postgres, principal.org_id)) == 4


async def test_p05_a_caller_that_goes_away_is_charged_and_one_that_is_cancelled_is_not(
    replicas: tuple[Replica, Replica], postgres: Postgres, principal: Principal
) -> None:
    text = script(interval_ms=300) + str(uuid4())
    gone = asyncio.create_task(replicas[0].embed(principal, text))
    await eventually(lambda: rows(postgres, "holds", principal), bool)
    gone.cancel()
    (event,) = await eventually(lambda: books(postgres, principal.org_id), bool)
    hanging = asyncio.create_task(replicas[0].embed(principal, script(hang=True) + str(uuid4())))
    (hold,) = await eventually(lambda: rows(postgres, "holds", principal), bool)
    assert hold["amount_nano_usd"] > event["cost_nano_usd"] > 0
    await replicas[1].engine.running.answers.cancel(principal, hold["generation_id"])
    assert await reason(hanging) is Reason.GENERATION_CANCELLED
    assert len(await books(postgres, principal.org_id)) == 1
    assert await rows(postgres, "holds", principal) == await rows(postgres, "leases", principal) == []


async def test_compatible_endpoints_make_embeddings_at_the_operators_price(
    server_settings: dict[str, str], postgres: Postgres, vendors: Vendors, principal: Principal
) -> None:
    name = f"v{uuid4().hex[:8]}"
    model = {"id": "e", "input_usd_per_mtok": 3, "output_usd_per_mtok": 0, "embedding": True}
    endpoint = {"name": name, "base_url": vendors.base_url("openai"), "api_key": "k", "models": [model]}
    settings = {**server_settings, "AICHAT_OPENAI_COMPATIBLE": json.dumps([endpoint])}
    asked = AskedEmbeddings(f"{name}/e", ((1, 2, 3),), field="tokens")
    dollars, nothing = NanoUsd(3 * 10**9), NanoUsd(0)
    price = PriceTier(0, dollars, dollars, dollars, dollars, nothing, nothing)
    async with replica(settings) as unpriced:
        with pytest.raises(AichatError) as caught:
            await unpriced.embeddings.create(principal, asked)
        assert caught.value.reason is Reason.MODEL_UNKNOWN
    await add_prices(postgres.owner_url, {(name, f"{name}/e"): [Price(BEGINNING, (price,))]})
    async with replica(settings) as priced:
        embedded = await priced.embeddings.create(principal, asked)
        assert f"{name}/e" not in {one.id for one in priced.engine.models.offered(principal)}
    assert (len(embedded.vectors[0]), embedded.cost) == (4 * OTHERS, 9_000)


async def test_p06_a_quota_sees_the_most_that_a_call_may_cost(
    replicas: tuple[Replica, Replica], database: Database, principal: Principal, vendors: Vendors
) -> None:
    await limit(database, principal, 1)
    text = str(uuid4())
    assert await reason(asyncio.create_task(replicas[0].embed(principal, text))) is Reason.QUOTA_EXCEEDED
    assert times_asked(vendors, text) == 0


async def test_p06_the_hold_of_a_lost_server_is_settled_without_a_charge(
    replicas: tuple[Replica, Replica], database: Database, postgres: Postgres, principal: Principal
) -> None:
    model = replicas[0].engine.models.embedding_model(principal, MODEL)
    asked = AskedEmbeddings(MODEL, ("lost",), request_id=uuid4())
    await replicas[0].engine.stores.generations.begin(EmbeddingCall(principal, model, asked).beginning(), "nothing")
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.leases SET expires_at = now() WHERE org_id = $1", principal.org_id)
    await build_orphans(database, None, None, rescue_seconds=600).reap(datetime.now(UTC))
    (generation,) = await rows(postgres, "generations", principal)
    assert (generation["state"], generation["cost_nano_usd"]) == ("interrupted", 0)
    assert await rows(postgres, "holds", principal) == await books(postgres, principal.org_id) == []
    # The same call starts again.
    await replicas[1].embeddings.create(principal, asked)
    assert len(await books(postgres, principal.org_id)) == 1


async def test_p19_vectors_kept_for_repeated_calls_are_bounded(
    redis: RedisUnderTest, monkeypatch: pytest.MonkeyPatch, principal: Principal
) -> None:
    monkeypatch.setattr(kept_vectors, "MOST_BYTES", 10)
    now = 0.0
    kept = kept_vectors.KeptVectors(redis.client, lambda: now)
    keys = [EmbeddingCall(principal, None, None).key for _ in range(3)]  # type: ignore[arg-type]
    found = []
    for key in keys:
        await kept.keep(key, (b"1234", b"5678"), 20)
        found.append(await kept.find(key) is not None)
        now += 10
    assert found == [True, False, True]
