"""Promise 9: misbehaving vendors are retried, replaced or not called for a while; never once an answer has begun."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from aichat.v1 import chat_pb2, events_pb2, options_pb2

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    Refusal,
    ask,
    conversations,
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

CLAUDE, SOL, LUNA, TERRA = "claude-opus-5-5", "gpt-6.1-sol", "gpt-6-luna", "gpt-6.1-terra"
FALLBACKS = f"{CLAUDE}={SOL}, {SOL}={CLAUDE}"
HELLO = {"deltas": ["hello"]}


def unique(**reply: object) -> str:
    """Returns a script with a unique text."""
    return script(**reply) + str(uuid4())


async def shown(
    server: ServerUnderTest, key: ApiKey, events: list[chat_pb2.StreamChatResponse]
) -> events_pb2.ChatStarted:
    """Returns `started`, after checking that the answer and its stored form agree with it."""
    started, answer = started_of(events), events[-1].completed.message
    assert answer.model == started.model
    assert (await history(server, key, started.conversation_id))[1] == answer
    return started


@pytest.fixture(scope="module")
async def patient(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with fallbacks, whose vendors stall soon."""
    async with run_server(AICHAT_FALLBACKS=FALLBACKS, AICHAT_PROVIDER_STALL_SECONDS="0.5") as server:
        yield server


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", LUNA, "gemini-3.8-flash"])
@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_vendor_that_recovers_is_retried_and_paid_once(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors, model: str, status: int
) -> None:
    text = unique(**HELLO, status=status, retry_after=0.1, fail_times=2)
    events = await ask(server, api_key, text, model=model)
    started = await shown(server, api_key, events)
    assert (started.model, started.requested_model) == (model, model)
    assert times_asked(vendors, text) == 3
    assert len(await history(server, api_key, started.conversation_id)) == 2
    at_once = await ask(server, api_key, text, model=model)
    assert events[-1].completed.message.cost == at_once[-1].completed.message.cost


async def test_a_failed_retry_gives_up_and_leaves_nothing(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(status=529)
    assert (await refusal(stream(server, api_key, text))).reason == "PROVIDER_OVERLOADED"
    assert times_asked(vendors, text) == 3
    assert await conversations(server, api_key) == []


@pytest.mark.parametrize("reply", [{"status": 400}, {"status": 401}, {"status": 429, "retry_after": 5.5}])
async def test_a_lasting_failure_is_not_retried(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors, reply: dict[str, object]
) -> None:
    text = unique(**reply)
    await refusal(stream(server, api_key, text))
    assert times_asked(vendors, text) == 1


async def test_an_error_ahead_of_everything_in_the_stream_is_a_failure_like_any(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, error_after=0, fail_times=1)
    assert text_of(await ask(server, api_key, text)) == "hello"
    assert times_asked(vendors, text) == 2


async def test_a_vendor_that_has_counted_tokens_is_not_retried(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, error_after=0, fail_times=1)
    failed = await refusal(stream(server, api_key, text, model=CLAUDE))
    assert failed.reason == "PROVIDER_OVERLOADED"
    assert any(event.usage.usage.input_tokens for event in failed.seen)
    assert times_asked(vendors, text) == 1


@pytest.mark.parametrize("model", [CLAUDE, LUNA, "gemini-3.8-flash"])
@pytest.mark.parametrize("broken", [{"error_after": 1}, {"cut_after": 1}])
async def test_after_the_first_word_nothing_is_retried(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors, model: str, broken: dict[str, object]
) -> None:
    text = unique(deltas=["a", "b"], **broken)
    failed = await refusal(stream(patient, api_key, text, model=model))
    assert (text_of(failed.seen), started_of(failed.seen).model) == ("a", model)
    assert times_asked(vendors, text) == 1


async def test_a_fallback_answers_says_so_and_is_what_is_paid(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors, server_settings: dict[str, str]
) -> None:
    text, request_id = unique(**HELLO, status=529, fail_times=3), str(uuid4())
    events = await ask(patient, api_key, text, model=CLAUDE, request_id=request_id)
    started = await shown(patient, api_key, events)
    assert (started.requested_model, started.model, started.provider) == (CLAUDE, SOL, "openai")
    assert times_asked(vendors, text) == 4
    usages = [event.usage for event in events if event.HasField("usage")]
    answer = events[-1].completed.message
    assert (usages[-1].usage, usages[-1].cost) == (answer.usage, answer.cost)
    direct = (await ask(patient, api_key, text, model=SOL))[-1].completed.message
    assert (answer.usage, answer.cost) == (direct.usage, direct.cost)

    again = await ask(patient, api_key, text, model=CLAUDE, request_id=request_id)
    assert (again[0], again[-1].completed) == (events[0], events[-1].completed)
    async with connection(server_settings["AICHAT_MIGRATION_DATABASE_URL"]) as owner:
        query = "SELECT requested_model, model, provider FROM aichat.generations WHERE generation_id = $1"
        rows = [*await owner.fetch(query, started.generation_id), *await owner.fetch(query, direct.generation_id)]
    assert [tuple(row) for row in rows] == [(CLAUDE, SOL, "openai"), (None, SOL, "openai")]


async def test_a_vendor_that_is_silent_ahead_of_started_is_replaced(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, hang=True, fail_times=1)
    started = await shown(patient, api_key, await ask(patient, api_key, text, model=SOL))
    assert (started.requested_model, started.model) == (SOL, CLAUDE)
    assert times_asked(vendors, text) == 2


async def test_when_the_fallback_fails_too_the_first_failure_is_reported(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(status=529)
    failed = await refusal(stream(patient, api_key, text, model=CLAUDE))
    assert (failed.reason, failed.metadata["provider"], failed.seen) == ("PROVIDER_OVERLOADED", "anthropic", [])
    assert times_asked(vendors, text) == 6
    assert await conversations(patient, api_key) == []


async def test_a_fallback_that_cannot_do_what_is_asked_is_skipped(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, status=529, fail_times=3)
    options = options_pb2.ChatOptions(stop=["END"])  # which SOL does not accept
    failed = await refusal(stream(patient, api_key, text, model=CLAUDE, options=options))
    assert (failed.reason, failed.metadata["provider"]) == ("PROVIDER_OVERLOADED", "anthropic")
    assert times_asked(vendors, text) == 3


@pytest.mark.parametrize("reply", [{"status": 400}, {"deltas": [], "stop": "refusal"}])
async def test_a_fallback_does_not_answer_a_callers_mistake(
    patient: ServerUnderTest, api_key: ApiKey, vendors: Vendors, reply: dict[str, object]
) -> None:
    text = unique(**reply, **({} if "deltas" in reply else HELLO), fail_times=1)
    assert (await refusal(stream(patient, api_key, text, model=CLAUDE))).metadata["provider"] == "anthropic"
    assert times_asked(vendors, text) == 1


@pytest.fixture(scope="module")
async def restless(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with fallbacks that sends `started` before its vendors stall."""
    settings = {"AICHAT_HEARTBEAT_SECONDS": "0.1", "AICHAT_PROVIDER_STALL_SECONDS": "1"}
    async with run_server(AICHAT_FALLBACKS=FALLBACKS, **settings) as server:
        yield server


async def test_once_started_has_named_a_model_no_other_answers(
    restless: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, hang=True, fail_times=1)
    failed = await refusal(stream(restless, api_key, text, model=CLAUDE))
    assert (failed.reason, failed.metadata["provider"]) == ("PROVIDER_TIMEOUT", "anthropic")
    assert started_of(failed.seen).model == CLAUDE
    assert times_asked(vendors, text) == 1


async def test_the_model_that_started_has_named_may_be_retried(
    restless: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    text = unique(**HELLO, status=429, retry_after=0.3, fail_times=2)
    events = await ask(restless, api_key, text, model=CLAUDE)
    started = await shown(restless, api_key, events)
    assert started.model == CLAUDE
    assert any(event.HasField("heartbeat") for event in events)
    assert times_asked(vendors, text) == 3


CIRCUIT_FAILURES = 3


@pytest.fixture(scope="module")
async def wary(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server that soon stops calling a failing model, and has one connection for each vendor."""
    settings = {
        "AICHAT_FALLBACKS": f"{SOL}={CLAUDE}",
        "AICHAT_PROVIDER_RETRIES": "0",
        "AICHAT_PROVIDER_CIRCUIT_FAILURES": str(CIRCUIT_FAILURES),
        "AICHAT_PROVIDER_CIRCUIT_SECONDS": "5",
        "AICHAT_PROVIDER_CONNECTIONS": "1",
    }
    async with run_server(**settings) as server:
        yield server


async def test_a_vendor_that_keeps_failing_is_not_called_and_then_tried_again(
    wary: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    for _ in range(2 * CIRCUIT_FAILURES):
        assert (await refusal(stream(wary, api_key, script(status=400)))).reason == "PROVIDER_REQUEST_REJECTED"
    for broken in ({"words": 3, "cut_after": 0}, {"words": 3, "cut_after": 1}, {"empty": True}, {"status": 408}):
        for _ in range(CIRCUIT_FAILURES):
            assert (await refusal(stream(wary, api_key, script(**broken)))).retry_after is None
    text = unique(**HELLO)
    assert text_of(await ask(wary, api_key, text)) == "hello"
    for _ in range(CIRCUIT_FAILURES):
        assert (await refusal(stream(wary, api_key, script(status=500)))).retry_after is None
        await ask(wary, api_key, unique(**HELLO, status=500, fail_times=1), model=SOL)

    text = unique(**HELLO)
    left_alone = await refusal(stream(wary, api_key, text))
    assert (left_alone.reason, left_alone.metadata["model"]) == ("PROVIDER_UNAVAILABLE", LUNA)
    assert left_alone.retry_after is not None
    assert 0 < left_alone.retry_after <= 5
    started = (await ask(wary, api_key, text, model=SOL))[0].started
    assert (started.requested_model, started.model) == (SOL, CLAUDE)
    assert [entry["vendor"] for entry in vendors.log() if text in str(entry["body"])] == ["anthropic"]
    # Another model of the vendor is called as before.
    assert (await ask(wary, api_key, text, model=TERRA))[0].started.model == TERRA
    assert "circuit breaker opened" in wary.log.read_text()

    async def answered() -> bool:
        try:
            return text_of(await ask(wary, api_key, text)) == "hello"
        except Exception:  # noqa: BLE001 — it is still left alone, which the timeout of `eventually` bounds
            return False

    assert await eventually(answered, bool)


async def test_more_calls_than_there_are_connections_are_refused_at_once(
    wary: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    first = stream(wary, api_key, script(deltas=["a", "b"], interval_ms=2500))
    await first_event(first)
    text = unique(**HELLO)

    full: Refusal = await refusal(stream(wary, api_key, text))
    assert (full.reason, full.metadata["provider"], full.retry_after) == ("PROVIDER_OVERLOADED", "openai", 1.0)
    assert times_asked(vendors, text) == 0
    assert (await ask(wary, api_key, text, model=SOL))[0].started.model == CLAUDE
    assert text_of(await ask(wary, api_key, text, model="gemini-3.8-flash")) == "hello"

    assert text_of([event async for event in first]) == "ab"
    assert text_of(await ask(wary, api_key, text)) == "hello"
