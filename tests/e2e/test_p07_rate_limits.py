"""Promise 7 at the edge: a refusal is HTTP 429 with `retry-after`, and the SDK's RateLimitError."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from aichat_sandbox.platform import Platform
from aichat_sdk import AsyncAIChat, RateLimitError

from tests.e2e.calls import CHAT, chat_body, error_of, script, sse_events

REQUESTS, STREAMS = 60, 4


@pytest.fixture
def limited(stranger: httpx.AsyncClient, free_key: str) -> httpx.AsyncClient:
    """A client on the smallest plan."""
    stranger.headers["authorization"] = f"Bearer {free_key}"
    return stranger


async def test_one_request_too_many(limited: httpx.AsyncClient, platform: Platform, free_key: str) -> None:
    answers = await asyncio.gather(*(limited.get("/v1/models") for _ in range(REQUESTS + 5)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) == 5
    for answer in [*refused, await limited.post(CHAT, json=chat_body("Hello"))]:
        status, reason, metadata = error_of(answer)
        assert (status, reason) == (429, "RATE_LIMITED")
        assert (metadata["name"], metadata["limit"], metadata["remaining"]) == ("requests_per_minute", "60", "0")
        delay = retry_delay(answer)
        assert 0 < delay <= int(answer.headers["retry-after"]) <= 61
        assert int(answer.headers["retry-after"]) - delay < 1

    async with AsyncAIChat(endpoint=platform.grpc, api_key=free_key) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.models.list()
        assert caught.value.reason == "RATE_LIMITED"
        assert caught.value.metadata["scope"] == "api_key"
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 61


async def test_one_stream_too_many(limited: httpx.AsyncClient) -> None:
    body = chat_body(script(words=150, interval_ms=20))
    async with AsyncExitStack() as streams:
        for _ in range(STREAMS):
            response = await streams.enter_async_context(limited.stream("POST", CHAT, json=body))
            assert "started" in await anext(aiter(sse_events(response)))
        refused = await limited.post(CHAT, json=body)
    status, reason, metadata = error_of(refused)
    assert (status, reason, metadata["name"]) == (429, "RATE_LIMITED", "open_streams")
    assert refused.headers["retry-after"] == "1"


def retry_delay(answer: httpx.Response) -> float:
    """Returns the delay of google.rpc.RetryInfo, in seconds."""
    details: list[dict[str, Any]] = answer.json()["details"]
    [retry] = [detail for detail in details if detail["@type"] == "type.googleapis.com/google.rpc.RetryInfo"]
    return float(str(retry["retryDelay" if "retryDelay" in retry else "retry_delay"]).removesuffix("s"))
