"""After the end of an answer: a body that ends late, or never, and a second message right after the first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from aichat_server.providers.domain.events import Stop, StopReason
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory
from aiohttp import web

from tests.fixtures.vendors import answer, asking


def message(text: str) -> list[bytes]:
    """Returns Claude's events of an answer."""
    events = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]


@pytest.fixture
async def two_messages() -> AsyncGenerator[AIProviderFactory, None]:
    """A vendor that answers in two messages, event by event, and never closes the stream."""
    stop = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in (*message("One, "), *message("two")):
            await response.write(event)
            await asyncio.sleep(0)
        await stop.wait()
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", reply)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    factory = AIProviderFactory([ProviderConfig("anthropic", "key", f"http://127.0.0.1:{runner.addresses[0][1]}")])
    try:
        yield factory
    finally:
        stop.set()
        await factory.aclose()
        await runner.cleanup()


async def test_all_that_comes_at_once_is_read_and_no_more_is_waited_for(two_messages: AIProviderFactory) -> None:
    async with asyncio.timeout(30):
        got = await answer(two_messages.get("anthropic"), asking("anthropic", "Hello"))
    assert (got.error, got.text, got.events[-1]) == (None, "One, two", Stop(StopReason.END_TURN))
