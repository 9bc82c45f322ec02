"""Promise 9: if a vendor refuses the operator's account, a fallback answers; only the operator learns why."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import uuid4

import grpc
import pytest

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, refusal, script, started_of, stream, text_of, times_asked

CLAUDE, SOL, LUNA = "claude-opus-5-5", "gpt-6.1-sol", "gpt-6-luna"
NO_CREDIT = "Your credit balance is too low to access the API. See https://vendor.example/billing for key sk-ab1234567."
ACCOUNTS = ({"status": 401}, {"status": 402}, {"status": 403}, {"status": 400, "message": NO_CREDIT})


@pytest.fixture(scope="module")
async def backed(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with a fallback."""
    async with run_server(AICHAT_FALLBACKS=f"{CLAUDE}={SOL}") as server:
        yield server


@pytest.mark.parametrize("reply", ACCOUNTS)
async def test_where_the_operators_account_is_refused_a_fallback_answers_at_once(
    backed: ServerUnderTest, api_key: ApiKey, vendors: Vendors, reply: dict[str, object]
) -> None:
    text = script(deltas=["hello"], **reply, fail_times=1) + str(uuid4())
    events = await ask(backed, api_key, text, model=CLAUDE)
    started = started_of(events)
    assert (started.requested_model, started.model, text_of(events)) == (CLAUDE, SOL, "hello")
    assert times_asked(vendors, text) == 2


@pytest.mark.parametrize("reply", ACCOUNTS)
async def test_only_the_operator_learns_that_the_account_is_refused(
    backed: ServerUnderTest, api_key: ApiKey, vendors: Vendors, reply: dict[str, object]
) -> None:
    text = script(**reply) + str(uuid4())
    failed = await refusal(stream(backed, api_key, text, model=LUNA))
    assert (failed.reason, failed.code) == ("PROVIDER_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE)
    assert failed.message == "openai is unavailable; ask another model, or try again later"
    assert failed.metadata == {"provider": "openai"}
    assert times_asked(vendors, text) == 1
    logged = [line for line in backed.log.read_text().splitlines() if "refuses this server's account" in line]
    assert "openai" in logged[-1]
    assert f"Error code: {reply['status']}" in logged[-1]
    assert "sk-ab1234567" not in backed.log.read_text()
