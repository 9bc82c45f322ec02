"""Promise 1: an answer of a killed server is ended once, with what had arrived, and charged at most its hold."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import pytest
from aichat.v1 import chat_pb2, events_pb2, messages_pb2, openai_pb2
from aichat.v1.openai_pb2_grpc import OpenAIServiceStub
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from google.api.httpbody_pb2 import HttpBody

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest, minted_key
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    MODEL,
    Event,
    Refusal,
    ask,
    eventually,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
    times_asked,
)
from tests.integration.generations.replicas.following import resume, wire
from tests.integration.quotas.ledger import books
from tests.integration.workers.conftest import Reap, Workers, expire, generations, run_job

SLOW = script(deltas=[f"word{n} " for n in range(400)], interval_ms=50)
SILENT = script(deltas=["never"], hang_after=0)


async def held(postgres: Postgres, key: ApiKey) -> list[int]:
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch("SELECT * FROM aichat.holds WHERE org_id = $1", key.organization_id)
    return [row["amount_nano_usd"] for row in rows]


async def copied(redis: RedisUnderTest, key: ApiKey, generation: str) -> None:
    """Returns once some of the answer's words are in its journal."""
    name = f"aichat:journal:{{{key.organization_id}}}:{generation}"
    await eventually(lambda: redis.client.xlen(name), lambda length: length > 2)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message to a server that was killed before the answer's end; each has its own organisation."""

    key: ApiKey
    text: str
    request_id: str
    held: int
    started: events_pb2.ChatStarted
    """Empty if the model had not written a word."""

    @property
    def org_id(self) -> UUID:
        return UUID(self.key.organization_id)

    async def again(self, server: ServerUnderTest) -> Refusal:
        return await refusal(stream(server, self.key, self.text, request_id=self.request_id))


@pytest.fixture(scope="module")
async def lost(
    run_server: RunServer, redis: RedisUnderTest, database: Database, postgres: Postgres, vendors: Vendors
) -> list[Asked]:
    """Five answers of a killed server; each test uses the one that it needs.

    The fourth has no text, and the last one goes to a client of Chat Completions as its vendor sends it.
    """
    asked = list[tuple[Asked, object]]()
    async with run_server(REDIS_URL=redis.url) as writer:
        for text in (SLOW, SLOW, SLOW, SILENT):
            key, request_id, own = await minted_key(database), str(uuid4()), text + str(uuid4())
            call = stream(writer, key, own, request_id=request_id)
            if text == SLOW:
                started = (await first_event(call)).started
                await copied(redis, key, started.generation_id)
            else:
                started = events_pb2.ChatStarted()
                await eventually(partial(_asked, vendors, own), bool)
            (amount,) = await held(postgres, key)
            asked.append((Asked(key, own, request_id, amount, started), call))
        key = await minted_key(database)
        pieces = OpenAIServiceStub(writer.channel).CreateChatCompletion(completion(SLOW), metadata=key.metadata)
        await wanted(pieces, b"word")
        generation_id = str(dict(await pieces.initial_metadata())["x-aichat-generation-id"])
        await copied(redis, key, generation_id)
        (amount,) = await held(postgres, key)
        asked.append((Asked(key, SLOW, "", amount, events_pb2.ChatStarted(generation_id=generation_id)), pieces))
        writer.process.kill()
        await writer.process.wait()
    return [each for each, _ in asked]


def completion(text: str) -> openai_pb2.CreateChatCompletionRequest:
    """Returns a streaming request of a model whose vendor speaks Chat Completions."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": text}]}
    data = json.dumps(body).encode()
    return openai_pb2.CreateChatCompletionRequest(body=HttpBody(content_type="application/json", data=data))


async def wanted(pieces: AsyncIterable[openai_pb2.CreateChatCompletionResponse], data: bytes) -> None:
    """Reads until `data` has come."""
    async for response in pieces:
        if data in response.piece.data:
            return


async def _asked(vendors: Vendors, text: str) -> bool:
    return times_asked(vendors, text) > 0


async def test_what_a_killed_server_wrote_is_stored_charged_and_told(
    lost: list[Asked], reader: ServerUnderTest, postgres: Postgres, reap: Reap
) -> None:
    asked, started = lost[0], lost[0].started
    elsewhere = resume(reader, asked.key, started.generation_id)
    seen: list[Event] = [await first_event(elsewhere)]
    await expire(postgres, asked.org_id)
    await reap()

    # A reader on another replica gets every event that existed, and then the failure.
    ended = await refusal(elsewhere)
    seen.extend(ended.seen)
    assert (ended.reason, started_of(seen)) == ("SERVER_LOST", started)
    question, answer = await history(reader, asked.key, started.conversation_id)
    assert (question.message_id, answer.message_id) == (started.user_message_id, started.message_id)
    assert answer.state == messages_pb2.MESSAGE_STATE_INTERRUPTED
    assert answer.parts[0].text.text == text_of(seen) != ""

    (event,) = await books(postgres, asked.org_id)
    assert (event["quality"], event["estimate_reason"]) == ("estimated", "SERVER_LOST")
    assert 0 < event["cost_nano_usd"] <= asked.held
    assert event["input_tokens"] > 0
    assert event["output_tokens"] > 0
    assert await held(postgres, asked.key) == []

    # Both ways to ask again return that end, and no second answer.
    again = await asked.again(reader)
    assert (again.reason, text_of(again.seen)) == ("SERVER_LOST", text_of(seen))
    ids = {"generation_id": started.generation_id, "conversation_id": started.conversation_id}
    assert (again.message, again.metadata) == (ended.message, ended.metadata) == (again.message, ids)
    assert "ask again with a new request_id" in again.message
    resumed = await refusal(resume(reader, asked.key, started.generation_id, 2))
    assert (resumed.reason, wire(resumed.seen)) == ("SERVER_LOST", wire(seen)[2:])
    # An answer whose lease has not expired is left alone, whatever happened to its server.
    assert list((await generations(postgres, lost[2].org_id)).values()) == ["running"]


async def test_an_answer_as_sent_is_charged_by_what_had_arrived(
    lost: list[Asked], postgres: Postgres, reap: Reap
) -> None:
    asked = lost[4]
    await expire(postgres, asked.org_id)
    await reap()
    (event,) = await books(postgres, asked.org_id)
    assert (event["quality"], event["estimate_reason"]) == ("estimated", "SERVER_LOST")
    assert 0 < event["cost_nano_usd"] <= asked.held
    assert event["output_tokens"] > 0
    assert await held(postgres, asked.key) == []


async def test_of_what_no_journal_tells_nothing_is_left_and_the_request_can_be_sent_again(
    lost: list[Asked], reader: ServerUnderTest, redis: RedisUnderTest, vendors: Vendors, postgres: Postgres, reap: Reap
) -> None:
    emptied, silent = lost[1], lost[3]
    await redis.client.delete(f"aichat:journal:{{{emptied.org_id}}}:{emptied.started.generation_id}")
    for asked in (emptied, silent):
        call = stream(reader, asked.key, asked.text, request_id=asked.request_id)
        # With the first heartbeat it has joined the answer.
        await anext(aiter(call))
        joined = asyncio.create_task(refusal(call))
        await expire(postgres, asked.org_id)
        await reap()
        assert await books(postgres, asked.org_id) == []
        assert list((await generations(postgres, asked.org_id)).values()) == ["interrupted"]
        assert await held(postgres, asked.key) == []
        ended = await joined
        assert (ended.reason, text_of(ended.seen)) == ("SERVER_LOST", "")
        assert ended.message.endswith("; send it again")
        assert times_asked(vendors, asked.text) == 1
        answer = await ask(reader, asked.key, script(deltas=["now"]), request_id=asked.request_id)
        assert text_of(answer) == "now"


async def test_a_worker_that_is_killed_while_it_ends_an_answer_is_made_up_for(
    lost: list[Asked], reader: ServerUnderTest, postgres: Postgres, workers: Workers
) -> None:
    asked = lost[2]
    await expire(postgres, asked.org_id)
    async with connection(postgres.owner_url) as owner:
        lock = owner.transaction()
        await lock.start()
        await owner.execute("SELECT FROM aichat.conversations WHERE org_id = $1 FOR UPDATE", asked.org_id)
        async with workers("run", "orphans") as command:
            await eventually(partial(_waits, postgres), bool)
            command.process.kill()
            await command.process.wait()
        await lock.rollback()
    await eventually(partial(books, postgres, asked.org_id), bool)
    # The database has the answer by now, and its readers do not know that yet.
    charged = []
    for _ in range(2):
        await run_job(workers, "orphans")
        charged.append([dict(row) for row in await books(postgres, asked.org_id)])
    assert len(charged[0]) == 1
    assert charged[0] == charged[1]
    assert (await refusal(resume(reader, asked.key, asked.started.generation_id))).reason == "SERVER_LOST"


async def test_a_server_that_was_held_up_past_its_lease_neither_charges_again_nor_says_completed(
    run_server: RunServer, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey, postgres: Postgres,
    reap: Reap,
) -> None:  # fmt: skip
    short = script(deltas=[f"word{n} " for n in range(40)], interval_ms=50)
    async with run_server(REDIS_URL=redis.url) as writer:
        events = aiter(stream(writer, api_key, short))
        started = (await first_event(events)).started
        rest = asyncio.create_task(refusal(_rest(events)))
        await copied(redis, api_key, started.generation_id)
        writer.process.send_signal(signal.SIGSTOP)
        try:
            await expire(postgres, UUID(api_key.organization_id))
            await reap()
            charged = await books(postgres, UUID(api_key.organization_id))
        finally:
            writer.process.send_signal(signal.SIGCONT)
        lost = await rest
        # Its other answers are not delayed by the lost one.
        other = await ask(writer, api_key, script(words=5, interval_ms=30))
        assert other[-1].HasField("completed")
        generation = other[0].started.generation_id
        assert wire([event async for event in resume(reader, api_key, generation)]) == wire(other)
    assert lost.reason == "SERVER_LOST"
    (first, second) = await books(postgres, UUID(api_key.organization_id))
    assert [dict(row) for row in charged] == [dict(first)]
    assert str(second["generation_id"]) == generation
    answer = (await history(reader, api_key, started.conversation_id))[1]
    assert answer.state == messages_pb2.MESSAGE_STATE_INTERRUPTED
    elsewhere = await refusal(resume(reader, api_key, started.generation_id))
    assert (elsewhere.reason, text_of(elsewhere.seen)) == ("SERVER_LOST", answer.parts[0].text.text)


async def _rest(events: AsyncIterator[chat_pb2.StreamChatResponse]) -> None:
    async for _ in events:
        pass


async def test_an_answer_whose_lease_is_renewed_is_never_ended(
    reader: ServerUnderTest, api_key: ApiKey, postgres: Postgres, reap: Reap
) -> None:
    events = aiter(stream(reader, api_key, script(words=100, interval_ms=100)))
    await first_event(events)
    await expire(postgres, UUID(api_key.organization_id))
    await eventually(partial(_leased, postgres, api_key), bool)
    await reap()
    assert [event async for event in events][-1].HasField("completed")


async def _leased(postgres: Postgres, key: ApiKey) -> bool:
    async with connection(postgres.owner_url) as owner:
        query = "SELECT expires_at > now() FROM aichat.leases WHERE org_id = $1"
        return bool(await owner.fetchval(query, key.organization_id))


async def _waits(postgres: Postgres) -> bool:
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%aichat.end_turn%'"
        )
    return bool(rows)
