"""Promise 17: an answer whose reader left waits for one retry, on all replicas, and without Redis on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from aichat_server.compat.domain.readers import Left, Reader, Slot, Taken
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.compat.service.waiting import Departure, WaitingAnswers
from aichat_server.core.redis.client import open_redis
from aichat_server.identity.domain.principals import Principal

from tests.faults.link import Fate, Link
from tests.fixtures.redis import RedisUnderTest

WINDOWS_SECONDS = (0.3, 3.0, 20.0)


class Replica:
    """A process's waiting answers, and what nobody came back for."""

    def __init__(self, shared: SharedReaders | None, seconds: float = 30.0) -> None:
        self._seconds = seconds
        self.over: asyncio.Queue[UUID] = asyncio.Queue()
        self.waiting = WaitingAnswers(
            shared,
            asyncio.create_task,
            when_over=lambda left: self.over.put_nowait(left.generation_id),
        )

    def leave(self, reader: Reader, how: Left = Left.VANISHED, answer: UUID | None = None) -> UUID:
        """A reader leaves; returns its answer."""
        assert reader.slot is not None
        generation_id = answer or uuid4()
        self.waiting.leave(Departure(reader.slot, reader, how, generation_id, self._seconds, handle=None))
        return generation_id

    async def take(self, reader: Reader) -> Taken:
        """A call comes."""
        assert reader.slot is not None
        taken, _ = await self.waiting.take(reader.slot, reader)
        return taken

    async def found(self, reader: Reader) -> Taken:
        """Returns what a call finds. What a replica says is on its way to the others."""
        async with asyncio.timeout(10):
            while (taken := await self.take(reader)).generation_id is None:
                await asyncio.sleep(0.01)
        return taken


def reader(slot: Slot | None = None, *, retries: bool | None = None) -> Reader:
    """A reader of a slot; of one of its own if there is none."""
    principal = Principal(uuid4(), uuid4())
    return Reader(principal, slot or Slot(principal.org_id, uuid4().bytes), retries=retries)


@pytest.fixture
async def replicas(redis: RedisUnderTest) -> AsyncGenerator[tuple[Replica, Replica], None]:
    """Two replicas."""
    async with open_redis(redis.url) as one, open_redis(redis.url) as other:
        yield tuple(Replica(SharedReaders(client)) for client in (one, other))  # type: ignore[misc]


async def test_one_retry_gets_it_on_any_replica(replicas: tuple[Replica, Replica]) -> None:
    here, there = replicas
    gone = reader()
    left = {here.leave(gone), here.leave(gone)}
    there_found, here_found = await there.found(reader(gone.slot)), await here.found(reader(gone.slot))
    assert {there_found.generation_id, here_found.generation_id} == left
    for replica in replicas:
        assert (await replica.take(reader(gone.slot))).generation_id is None


async def test_what_was_written_whole_is_for_calls_that_say_so(replicas: tuple[Replica, Replica]) -> None:
    here, there = replicas
    whole = reader(retries=False)
    answer = here.leave(whole, Left.WHOLE)
    for replica in replicas:
        assert (await replica.take(reader(whole.slot))).generation_id is None
    assert (await there.found(reader(whole.slot, retries=True))).generation_id == answer


async def test_what_a_retry_got_waits_for_the_rest_of_its_time(replicas: tuple[Replica, Replica]) -> None:
    here, there = replicas
    gone = reader()
    answer = here.leave(gone)
    assert 0 < (await here.take(reader(gone.slot))).seconds <= 30
    assert here.leave(gone, Left.REPEATED) != answer
    assert 0 < (await there.found(reader(gone.slot))).seconds <= 30


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


async def test_an_answer_that_was_left_again_elsewhere_waits_for_the_whole_new_time(redis: RedisUnderTest) -> None:
    loop = asyncio.get_running_loop()
    async with open_redis(redis.url) as one, open_redis(redis.url) as other:
        there = Replica(SharedReaders(other))
        for seconds in WINDOWS_SECONDS:
            here, gone = Replica(SharedReaders(one), seconds), reader()
            answer, until = here.leave(gone), loop.time() + seconds
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await there.found(reader(gone.slot))
                    break
        there.leave(gone, answer=answer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(until + 0.3):
                await here.over.get()
        assert (await there.take(reader(gone.slot))).generation_id == answer


@pytest.mark.parametrize("shares", [True, False])
async def test_without_a_retry_it_is_over_once(redis: RedisUnderTest, *, shares: bool) -> None:
    async with open_redis(redis.url) as client:
        shared = SharedReaders(client) if shares else None
        # On a busy machine a retry may come after a short window.
        for seconds in WINDOWS_SECONDS:
            replica, taken = Replica(shared, seconds), reader()
            rescued = replica.leave(taken)
            if (found := (await replica.take(reader(taken.slot))).generation_id) is not None:
                break
        assert found == rescued
        abandoned = replica.leave(reader())
        async with asyncio.timeout(60):
            assert await replica.over.get() == abandoned
        assert replica.over.empty()


async def test_what_redis_has_done_is_not_done_again_if_its_reply_is_lost(redis: RedisUnderTest) -> None:
    slot, answer = Slot(uuid4(), uuid4().bytes), uuid4()
    async with Link(redis.port) as link, open_redis(link.through(redis.url)) as client:
        shared = SharedReaders(client)
        await shared.leave(slot, "gone", Left.VANISHED, answer, 30)
        lost = [link.doom(b"take", Fate.REPLY_RESET)]
        assert (await shared.take(slot, "retry", retries=False)).generation_id == answer
        assert (await shared.take(slot, "later", retries=False)).generation_id is None
        lost.append(link.doom(b"leave", Fate.REPLY_RESET))
        await shared.leave(slot, "retry", Left.VANISHED, answer, 30)
        lost.append(link.doom(b"take_back", Fate.REPLY_RESET))
        assert await shared.take_back(slot, answer)
        assert not await shared.take_back(slot, answer)
        assert all(event.is_set() for event in lost)


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
    for slot, known in ((before.slot, known_before), (during.slot, known_during)):
        assert (await here.take(reader(slot))).generation_id == known
    assert await there.take(reader(during.slot)) == Taken()
