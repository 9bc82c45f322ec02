"""Promise 15, with a Redis Cluster of three real nodes: everything works there, and losing it loses nothing."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from aichat.v1 import chat_pb2
from aichat_server.core.database.database import Database
from aichat_server.core.redis.client import open_redis
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Portion, Position
from aichat_server.generations.gateway.journal import Append, JournalStreams
from aichat_server.identity.domain.principals import Principal
from aichat_server.jobs.domain.jobs import QUEUE, QueueDepth
from aichat_server.jobs.gateway import queue_depth
from aichat_server.limits.domain.limits import Exceeded, Granted, claim_turn
from aichat_server.limits.gateway.shared_limits import open_shared_limits
from aichat_server.plans.domain import PlanRates, Rates
from aichat_server.providers.domain.events import TextDelta
from aichat_workers.broker import open_broker
from dramatiq import Worker, actor
from redis.asyncio import RedisCluster

from tests.fixtures.cluster import Cluster, run_cluster
from tests.fixtures.nursery import run_program
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest, minted_key
from tests.integration.conversations.asking import ask, eventually, script, stream, text_of
from tests.integration.generations.replicas.conftest import HEARTBEAT_SECONDS
from tests.integration.generations.replicas.following import cancel, everything, resume, wire

TAGGED = re.compile(r"aichat:[^{}]*\{[^{}]+\}.*")


@pytest.fixture(scope="module")
async def writer(run_server: RunServer, cluster: Cluster) -> AsyncGenerator[ServerUnderTest, None]:
    async with run_server(REDIS_URL=cluster.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server


@pytest.fixture(scope="module")
async def reader(run_server: RunServer, cluster: Cluster) -> AsyncGenerator[ServerUnderTest, None]:
    async with run_server(REDIS_URL=cluster.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server


async def test_answers_of_many_organisations_can_be_resumed_on_another_replica(
    writer: ServerUnderTest, reader: ServerUnderTest, cluster: Cluster, database: Database
) -> None:
    # Enough for each of the three nodes to have some: one has none in one run of 60,000.
    keys = [await minted_key(database) for _ in range(30)]

    async def follow(key: ApiKey) -> None:
        seen, resumed = [], None
        async for event in stream(writer, key, script(words=20, interval_ms=20) + str(uuid4())):
            seen.append(event)
            if resumed is None and event.HasField("started"):
                resumed = asyncio.create_task(everything(resume(reader, key, event.started.generation_id, 1)))
        assert resumed is not None
        assert await resumed == wire(seen[1:])

    await asyncio.gather(*map(follow, keys))
    found = await cluster.keys()
    assert all(found), "the organisations' keys lie on all nodes"
    assert [key for node in found for key in node if not TAGGED.fullmatch(key)] == []


async def test_an_answer_is_cancelled_from_another_replica(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    call = stream(writer, api_key, script(words=500, interval_ms=20))
    async for event in call:
        if event.HasField("started"):
            state = await cancel(reader, api_key, event.started.generation_id)
            assert state is chat_pb2.GENERATION_STATE_CANCELLED
            break
    call.cancel()


async def test_streams_are_written_to_all_nodes_and_read_together(cluster: Cluster) -> None:
    async with open_redis(cluster.url) as redis:
        assert isinstance(redis, RedisCluster)
        streams = JournalStreams(redis, retention_seconds=60, rescue_seconds=60)
        keys = [GenerationKey(uuid4(), uuid4()) for _ in range(30)]
        keys += [GenerationKey(key.org_id, uuid4()) for key in keys]
        one = Position(1, ended=False)
        batch = [Append(key, BEGINNING, Portion(one, (TextDelta(str(key.generation_id)),))) for key in keys]
        assert await streams.append(batch) == [one] * len(keys)
        assert await streams.append(batch) == [one] * len(keys)
        read = await streams.read(dict.fromkeys(keys, BEGINNING), 1)
        assert {key: portions[0].events for key, portions in read.items()} == {
            key: (TextDelta(str(key.generation_id)),) for key in keys
        }
        assert await streams.read(dict.fromkeys(keys, one), 0.05) == {}


async def test_streams_of_other_nodes_are_written_while_one_is_silent() -> None:
    async with run_cluster() as cluster, open_redis(cluster.url) as redis:
        streams = JournalStreams(redis, retention_seconds=60, rescue_seconds=60)
        one = Position(1, ended=False)
        keys = [GenerationKey(uuid4(), uuid4()) for _ in range(60)]

        async def written() -> int:
            """Returns the number of streams."""
            batch = [Append(key, BEGINNING, Portion(one, (TextDelta("a"),))) for key in keys]
            held = await streams.append(batch)
            read = await streams.read(dict.fromkeys(keys, BEGINNING), 0.01)
            assert len(read) == held.count(one)
            return len(read)

        # So that there are connections to all nodes.
        assert await written() == len(keys)
        keys = [GenerationKey(uuid4(), uuid4()) for _ in range(60)]
        cluster.nodes[1].send_signal(signal.SIGSTOP)
        assert 0 < await written() < len(keys)
        cluster.nodes[1].send_signal(signal.SIGCONT)
        await eventually(written, lambda count: count == len(keys))


async def test_limits_are_counted_together(cluster: Cluster) -> None:
    rates = PlanRates(Rates(2, 1000, 1), Rates(100, 10_000, 100))
    async with open_shared_limits(cluster.url) as one, open_shared_limits(cluster.url) as other:
        principals = [Principal(uuid4(), uuid4()) for _ in range(20)]
        claims = [claim_turn(principal, rates, str(uuid4()), 10) for principal in principals]
        assert all(isinstance(answer, Granted) for answer in await asyncio.gather(*map(one.take, claims)))
        again = [claim_turn(principal, rates, str(uuid4()), 10) for principal in principals]
        assert all(isinstance(answer, Exceeded) for answer in await asyncio.gather(*map(other.take, again)))
        await other.renew({})
        for claim in claims:
            one.end(claim, 0, 0)
        await one.sent()
        assert all(isinstance(answer, Granted) for answer in await asyncio.gather(*map(other.take, again)))


async def test_the_queue_delivers_jobs(cluster: Cluster) -> None:
    done: list[int] = []
    broker = open_broker(cluster.url)
    job = actor(broker=broker, actor_name="note", queue_name=QUEUE)(done.append)
    for number in range(5):
        job.send(number)
    assert await queue_depth(cluster.client) == QueueDepth(waiting=5, delayed=0, dead=0)
    worker = Worker(broker, worker_threads=1)
    worker.start()
    try:
        await eventually(partial(asyncio.to_thread, partial(sorted, done)), lambda found: found == [0, 1, 2, 3, 4])
    finally:
        await asyncio.to_thread(worker.stop)
        broker.client.close()
    assert await queue_depth(cluster.client) == QueueDepth(0, 0, 0)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["away", "silent"])
async def test_answers_are_written_while_a_node_is_away(
    run_server: RunServer, database: Database, fault: signal.Signals
) -> None:
    async with run_cluster() as cluster, run_server(REDIS_URL=cluster.url) as server:
        cluster.nodes[1].send_signal(fault)
        text = script(words=5)
        for _ in range(6):
            assert text_of(await ask(server, await minted_key(database), text)).count(" ") >= 4


async def test_a_database_that_a_cluster_does_not_have_is_refused_at_start(
    cluster: Cluster, server_settings: dict[str, str], tmp_path: Path
) -> None:
    settings = {**server_settings, "REDIS_URL": f"{cluster.url}/1"}
    code, said = await run_program(settings, tmp_path, "aichat_server", "serve")
    assert code == 2
    assert "REDIS_URL: a Redis Cluster has the database 0 alone" in said
