"""Promise 8: no stream is silent for long: heartbeats while the vendor thinks, a typed error if it never answers."""

from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from aichat.v1 import chat_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.conversations.asking import first_event, refusal, script, stream, text_of


@pytest.fixture(scope="module")
async def restless(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with short time limits."""
    async with run_server(AICHAT_HEARTBEAT_SECONDS="0.1", AICHAT_PROVIDER_STALL_SECONDS="1") as server:
        yield server


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_a_vendor_that_never_answers(restless: ServerUnderTest, api_key: ApiKey, model: str) -> None:
    failed = await refusal(stream(restless, api_key, script(hang=True), model=model))
    assert failed.reason == "PROVIDER_TIMEOUT"
    # On a busy machine heartbeats may precede it, which have no number.
    started, *beats = [event for event in failed.seen if event.sequence]
    assert started.HasField("started")
    assert len(beats) >= 3
    assert all(beat.HasField("heartbeat") and beat.sequence == 1 for beat in beats)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_a_vendor_that_falls_silent(restless: ServerUnderTest, api_key: ApiKey, model: str) -> None:
    failed = await refusal(stream(restless, api_key, script(deltas=["a", "b", "c"], hang_after=2), model=model))
    assert failed.reason == "PROVIDER_TIMEOUT"
    assert text_of(failed.seen) == "ab"
    assert any(event.HasField("heartbeat") for event in failed.seen)


async def test_an_answer_that_waits_to_be_stored(
    restless: ServerUnderTest, api_key: ApiKey, postgres: Postgres
) -> None:
    """Promise 2, too: no `completed` before the commit, and heartbeats until then."""
    call = stream(restless, api_key, script(deltas=["a", "b"], interval_ms=50))
    started = (await first_event(call)).started
    owner = await asyncpg.connect(postgres.owner_url)
    try:
        async with owner.transaction():
            # The statement that ends the turn waits for this row.
            lock = "SELECT FROM aichat.conversations WHERE org_id = $1 AND conversation_id = $2 FOR UPDATE"
            await owner.execute(lock, UUID(api_key.organization_id), UUID(started.conversation_id))
            seen: list[chat_pb2.StreamChatResponse] = []
            async for event in call:
                seen.append(event)
                beats = [event for event in seen if event.HasField("heartbeat")]
                if text_of(seen) == "ab" and len(beats) > 5:
                    break
            assert not any(event.HasField("completed") for event in seen)
    finally:
        await owner.close()
    assert [event async for event in call][-1].HasField("completed")
