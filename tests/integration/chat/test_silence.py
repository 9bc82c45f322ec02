"""No stream is silent for long: heartbeats while the vendor thinks, a typed error when it never wakes."""

from collections.abc import AsyncGenerator

import pytest

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.chat.asking import refusal, script, stream, text_of


@pytest.fixture(scope="module")
async def restless(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with little patience."""
    async with run_server(AICHAT_HEARTBEAT_SECONDS="0.1", AICHAT_PROVIDER_STALL_SECONDS="1") as server:
        yield server


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_a_vendor_that_never_answers(restless: ServerUnderTest, api_key: ApiKey, model: str) -> None:
    failed = await refusal(stream(restless, api_key, script(hang=True), model=model))
    assert failed.reason == "PROVIDER_TIMEOUT"
    assert failed.seen[0].HasField("started")
    beats = failed.seen[1:]
    assert len(beats) >= 3
    assert all(beat.HasField("heartbeat") and beat.sequence == 1 for beat in beats)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_a_vendor_that_falls_silent(restless: ServerUnderTest, api_key: ApiKey, model: str) -> None:
    failed = await refusal(stream(restless, api_key, script(deltas=["a", "b", "c"], hang_after=2), model=model))
    assert failed.reason == "PROVIDER_TIMEOUT"
    assert text_of(failed.seen) == "ab"
    assert any(event.HasField("heartbeat") for event in failed.seen)
