"""Promise 17: an answer whose reader left waits for one retry, on all replicas, and without Redis on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import pytest
from aichat_server.compat.domain.readers import Left, Reader, Slot, Taken
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.compat.service.waiting import Departure, WaitingAnswers
from aichat_server.core.redis.client import open_redis
from aichat_server.identity.domain.principals import Principal

from tests.fixtures.redis import RedisUnderTest

WINDOW_SECONDS = 0.3


class Replica:
    """A process's waiting answers, and what nobody came back for."""

    def __init__(self, shared: SharedReaders | None, window_seconds: float = 30.0) -> None:
        self.over: asyncio.Queue[UUID] = asyncio.Queue()
        self.waiting = WaitingAnswers(
            shared,
            asyncio.create_task,
            window_seconds=window_seconds,
            when_over=lambda left: self.over.put_nowait(left.generation_id),
        )

    def leave(self, reader: Reader, how: Left = Left.VANISHED) -> UUID:
        """A reader leaves; returns its answer."""
        assert reader.slot is not None
        generation_id = uuid4()
        self.waiting.leave(Departure(reader.slot, reader, how, generation_id, handle=None))
        return generation_id

    async def take(self, reader: Reader) -> Taken:
        """A call comes."""
        assert reader.slot is not None
        taken, _ = await self.waiting.take(reader.slot, reader)
        return taken

    async def finds(self, reader: Reader, generation_id: UUID) -> bool:
        """Whether a call finds the answer. What a replica says is on its way to the others."""
        async with asyncio.timeout(10):
            while (taken := await self.take(reader)) == Taken():
                await asyncio.sleep(0.01)
        return taken.generation_id == generation_id


def reader(slot: Slot | None = None, *, retries: bool | None = None) -> Reader:
    """A reader of a slot; of one of its own if there is none."""
    principal = Principal(uuid4(), uuid4())
    return Reader(principal, slot or Slot(principal.org_id, uuid4().bytes), retries=retries)


@pytest.fixture
async def replicas(redis: RedisUnderTest) -> AsyncGenerator[tuple[Replica, Replica], None]:
    """Two replicas."""
    async with open_redis(redis.url) as one, open_redis(redis.url) as other:
        yield tuple(Replica(SharedReaders(client, window_seconds=30.0)) for client in (one, other))  # type: ignore[misc]


async def test_one_retry_gets_it_on_any_replica(replicas: tuple[Replica, Replica]) -> None:
    here, there = replicas
    gone = reader()
    first, second = here.leave(gone), here.leave(gone)
    assert await there.finds(reader(gone.slot), first)
    assert await here.take(reader(gone.slot)) == Taken(second)
    for replica in replicas:
        assert (await replica.take(reader(gone.slot))).generation_id is None


async def test_what_was_written_whole_is_for_calls_that_say_so(replicas: tuple[Replica, Replica]) -> None:
    here, there = replicas
    whole = reader(retries=False)
    answer = here.leave(whole, Left.WHOLE)
    for replica in replicas:
        assert (await replica.take(reader(whole.slot))).generation_id is None
    assert await there.finds(reader(whole.slot, retries=True), answer)


@pytest.mark.parametrize("shares", [True, False])
async def test_older_readers_are_known_until_they_go(replicas: tuple[Replica, Replica], *, shares: bool) -> None:
    here, there = replicas if shares else (lonely := Replica(None), lonely)
    older = reader()
    assert await here.take(older) == Taken()
    async with asyncio.timeout(10):
        while not (await there.take(reader(older.slot))).others:
            await asyncio.sleep(0.01)
    assert older.slot is not None
    newer = reader(older.slot)
    here.waiting.go(older.slot, older)
    assert not (await there.take(newer)).generation_id


@pytest.mark.parametrize("shares", [True, False])
async def test_without_a_retry_it_is_over_once(redis: RedisUnderTest, *, shares: bool) -> None:
    async with open_redis(redis.url) as client:
        shared = SharedReaders(client, window_seconds=WINDOW_SECONDS) if shares else None
        replica, taken = Replica(shared, WINDOW_SECONDS), reader()
        rescued = replica.leave(taken)
        assert await replica.take(reader(taken.slot)) == Taken(rescued)
        abandoned = replica.leave(reader())
        async with asyncio.timeout(10):
            assert await replica.over.get() == abandoned
        assert replica.over.empty()


async def test_while_redis_is_away_its_own_process_finds_it(
    replicas: tuple[Replica, Replica], redis: RedisUnderTest
) -> None:
    here, there = replicas
    before = reader()
    known_before = here.leave(before)
    assert (await here.take(reader())).generation_id is None
    await redis.kill()
    during = reader()
    known_during = here.leave(during)
    assert await here.take(reader(before.slot)) == Taken(known_before)
    assert await here.take(reader(during.slot)) == Taken(known_during)
    assert await there.take(reader(during.slot)) == Taken()
