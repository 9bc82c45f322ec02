"""Anthropic's API as older clients speak it: `x-api-key`, version 2023-06-01, `?beta=true`, and raw events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODELS, script
from tests.fixtures.platform import HEARTBEAT_SECONDS

MESSAGES = "/anthropic/v1/messages?beta=true"
GEMINI = MODELS[2]


def opened(platform: Platform, key: str, **headers: str) -> httpx.AsyncClient:
    """A client with this key, and the headers of older clients."""
    told = {
        "x-api-key": key,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "a-2025-01-01,b-2025-01-01",
        **headers,
    }
    return httpx.AsyncClient(base_url=platform.http, headers=told, timeout=20)


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(platform, platform.key["api_key"]) as client:
        yield client


def body(model: str = GEMINI, said: str = "Hi", **fields: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": said}], **fields}


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream; the name of each is its type."""
    found = []
    for lines in text.strip().split("\n\n"):
        name, data = lines.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_an_older_client_streams(client: httpx.AsyncClient) -> None:
    said = script(deltas=["One ", "two."], reasoning=["Hm."], interval_ms=HEARTBEAT_SECONDS * 1500)
    answer = await client.post(MESSAGES, json=body(said=said, stream=True, temperature=0.3))
    assert answer.headers["content-type"] == "text/event-stream"
    assert {"request-id", "x-aichat-generation-id", "anthropic-ratelimit-tokens-limit"} <= answer.headers.keys()
    events = events_of(answer.text)
    types = [event["type"] for event in events if event["type"] != "ping"]
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert any(event["type"] == "ping" for event in events)
    # Nobody has asked for thinking.
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"text_delta"}
    assert "".join(delta["text"] for delta in deltas) == "One two."
    [start], [end] = (
        [event for event in events if event["type"] == name] for name in ("message_start", "message_delta")
    )
    assert start["message"]["usage"]["input_tokens"] == end["usage"]["input_tokens"] > 0
    assert end["usage"]["cost"] > 0


@pytest.mark.parametrize("model", MODELS)
async def test_a_stream_that_breaks_off_ends_with_an_error(client: httpx.AsyncClient, model: str) -> None:
    said = script(deltas=["One ", "two."], error_after=1)
    answer = await client.post(MESSAGES, json=body(model, said, stream=True))
    last = events_of(answer.text)[-1]
    assert (answer.status_code, last["type"], last["error"]["type"]) == (200, "error", "overloaded_error")
    # Anthropic's own event comes as it is.
    assert last.get("request_id") == (answer.headers["request-id"] if model != MODELS[0] else None)


async def test_bad_input_is_refused_in_shape_and_costs_nothing(platform: Platform, free_key: str) -> None:
    known, own = body(MODELS[1]), body(MODELS[0])
    cases: list[tuple[Any, dict[str, str], int, str]] = [
        (known, {"anthropic-version": "2020-01-01"}, 400, "anthropic-version: '2020-01-01' is not a valid version"),
        (b"{", {}, 400, "the request's body is not a JSON object"),
        ({**known, "max_tokens": None}, {}, 400, "max_tokens: Expected `int`"),
        ({**own, "max_tokens": None}, {}, 400, "max_tokens: is required"),
        ({**own, "messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, {}, 400, "The stand-in"),
        ({"max_tokens": 1}, {}, 400, "model: is required"),
        (body("nothing"), {}, 404, "model: nothing"),
        ({**known, "tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, {}, 400, "tools.0.name: String"),
        ({**known, "stop_sequences": ["a"]}, {}, 400, f"stop_sequences: {MODELS[1]} takes no stop sequences"),
        ({**known, "tools": [{"name": "f", "input_schema": {"type": 1}}]}, {}, 400, "tools.0.input_schema: "),
        ({**known, "messages": []}, {}, 400, "messages: at least one message is required"),
    ]
    async with opened(platform, free_key) as client:
        for sent, headers, status, problem in cases:
            how = {"content": sent} if isinstance(sent, bytes) else {"json": sent}
            told = {"content-type": "application/json", **headers}
            answer = await client.post("/v1/messages", headers=told, **how)
            error = answer.json()
            assert (answer.status_code, error["type"]) == (status, "error"), error
            assert error["error"]["message"].startswith(problem)
        day, now = timedelta(days=1), datetime.now(UTC)
        range_ = {"start_time": f"{now - day:%Y-%m-%dT%H:%M:%SZ}", "end_time": f"{now + day:%Y-%m-%dT%H:%M:%SZ}"}
        booked = await client.get("/v1/usage/events", params=range_)
        assert booked.json()["events"] == []
