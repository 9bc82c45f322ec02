"""Promise 17: calls with one Idempotency-Key get one answer, which is charged once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from aichat_sandbox.platform import Platform
from redis.asyncio import Redis

from tests.e2e.calls import MODELS, script
from tests.fixtures.rows import connection

CHAT = "/openai/v1/chat/completions"
SAY = script(words=20, interval_ms=20)


def body(text: str = SAY, **fields: Any) -> dict[str, Any]:
    """A call."""
    return {"model": MODELS[1], "messages": [{"role": "user", "content": text}], **fields}


async def charges(platform: Platform) -> int:
    """How many answers have been charged."""
    async with connection(platform.database_url) as owner:
        return int(await owner.fetchval("SELECT count(*) FROM aichat.usage_events"))


@pytest.mark.parametrize("stream", [True, False])
async def test_a_key_gets_one_answer_while_it_is_written_and_later(
    platform: Platform, http: httpx.AsyncClient, *, stream: bool
) -> None:
    before, key = await charges(platform), {"idempotency-key": str(uuid4())}
    asked = body(stream=stream)
    first, second = await asyncio.gather(*[http.post(CHAT, json=asked, headers=key) for _ in range(2)])
    other_order = dict(reversed(asked.items()))
    later = await http.post(CHAT, json=other_order, headers=key)
    assert first.status_code == 200
    assert without_heartbeats(first) == without_heartbeats(second) == without_heartbeats(later)
    assert await charges(platform) == before + 1


async def test_a_key_with_another_body_is_refused(http: httpx.AsyncClient) -> None:
    key = {"idempotency-key": str(uuid4())}
    assert (await http.post(CHAT, json=body("Hello"), headers=key)).status_code == 200
    for other in (body("Hello", stream=True), body("Hello!")):
        refused = await http.post(CHAT, json=other, headers=key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "idempotency_key_reused")
        assert "Idempotency-Key" in refused.json()["error"]["message"]
    assert (await http.post(CHAT, json=body(), headers={"idempotency-key": "x" * 256})).status_code == 400


async def test_a_keyed_answer_is_kept_although_its_reader_vanishes_and_its_events_expire(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    before, key = await charges(platform), {"idempotency-key": str(uuid4())}
    asked = body(stream=True)
    async with http.stream("POST", CHAT, json=asked, headers=key) as cut:
        generation_id = cut.headers["x-aichat-generation-id"]
    async with asyncio.timeout(20):
        while await charges(platform) == before:
            await asyncio.sleep(0.05)
    async with Redis.from_url(platform.redis_url) as redis:
        (events,) = [name async for name in redis.scan_iter(f"aichat:journal:*{UUID(generation_id)}")]
        await redis.delete(events)
    again = await http.post(CHAT, json=asked, headers=key)
    assert again.headers["x-aichat-generation-id"] == generation_id
    assert again.content.count(b"word") >= 20
    assert again.content.endswith(b"data: [DONE]\n\n")
    assert await charges(platform) == before + 1


def without_heartbeats(response: httpx.Response) -> bytes:
    """The bytes of an answer. How many heartbeats there are depends on the time that it takes."""
    return response.content.replace(b": heartbeat\n\n", b"")
