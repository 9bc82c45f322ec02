"""Promise 1: an answer that was shown is in history and in usage once, even if its process is killed."""

from __future__ import annotations

from uuid import uuid4

from aichat_sandbox.postgres import Postgres

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, history, script, stream, times_asked
from tests.integration.generations.test_p02_ledger import books


async def test_what_was_completed_outlives_its_process_and_every_retry(
    run_server: RunServer,
    reader: ServerUnderTest,
    redis: RedisUnderTest,
    api_key: ApiKey,
    vendors: Vendors,
    postgres: Postgres,
) -> None:
    request_id, text = str(uuid4()), script(words=20, interval_ms=5) + str(uuid4())
    async with run_server(REDIS_URL=redis.url) as killed:
        call = stream(killed, api_key, text, request_id=request_id)
        async for event in call:
            if event.HasField("completed"):
                killed.process.kill()
                break
        await killed.process.wait()
    shown = event.completed.message
    for _ in range(2):
        again = await ask(reader, api_key, text, request_id=request_id)
        assert again[-1].completed.message == shown
    question, answer = await history(reader, api_key, shown.conversation_id)
    assert (question.message_id, answer) == (shown.parent_message_id, shown)
    (booked,) = await books(postgres, api_key)
    assert (str(booked["generation_id"]), booked["cost_nano_usd"]) == (
        shown.generation_id, shown.cost.units * 10**9 + shown.cost.nanos,
    )  # fmt: skip
    assert times_asked(vendors, text) == 1
