"""Promise 16: a server that stops ends the answers of compatible APIs, or says in them that they broke off."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

from tests.e2e.calls import MODELS, script
from tests.fixtures.server import ApiKey, RunServer
from tests.fixtures.vendors import Vendors
from tests.integration.compat.answers import STATUS, Answer
from tests.integration.compat.caller import Caller
from tests.integration.conversations.asking import times_asked

CLAUDE, OPENAI, GEMINI = MODELS
# Each API as its vendor's own model answers it, and as another's does.
WAYS = (
    ("chat", OPENAI), ("chat", CLAUDE), ("responses", OPENAI), ("responses", GEMINI), ("messages", CLAUDE),
    ("messages", OPENAI),
)  # fmt: skip
REFUSED = {"chat": "503", "responses": "503", "messages": "529"}
FAILED = b'data: {"type":"error",'


async def test_running_streams_end_whole_and_new_calls_are_sent_elsewhere(
    run_server: RunServer, api_key: ApiKey
) -> None:
    async with run_server(AICHAT_DRAIN_SECONDS="60") as draining:
        text = script(words=20, interval_ms=100)
        caller = Caller(draining, api_key)
        running = [Answer(caller, api, model, text, stream=True) for api, model in WAYS]
        for answer in running:
            await answer.until(b"word0")
        draining.terminate()
        for api, model in WAYS:
            headers, told = await refused_soon(caller, api, model)
            # The SDKs repeat calls with these statuses, after the time that they are told.
            assert headers[STATUS] == REFUSED[api]
            assert (headers["retry-after"], headers.get("x-should-retry", "true")) == ("1", "true")
            assert "another replica takes it" in json.loads(told)["error"]["message"]
        for answer in running:
            assert b"word19" in await answer.rest()
            assert (answer.is_whole, b'"error":{' in answer.data) == (True, False)
        assert await draining.process.wait() == 0


async def refused_soon(caller: Caller, api: str, model: str) -> tuple[dict[str, str], bytes]:
    """Returns headers and body of the first call's refusal after the server has received the signal."""
    async with asyncio.timeout(60):
        while True:
            answer = Answer(caller, api, model, script(deltas=["too late?"]), stream=True)
            headers = await answer.headers()
            data = await answer.rest()
            if STATUS in headers:
                return headers, data


async def test_streams_that_outlast_the_grace_say_that_they_broke_off(
    run_server: RunServer, api_key: ApiKey, vendors: Vendors
) -> None:
    async with run_server(AICHAT_DRAIN_SECONDS="0.2") as draining:
        text = script(deltas=[f"{uuid4()} ", "two "], hang_after=2)
        caller = Caller(draining, api_key)
        streams = [Answer(caller, api, model, text, stream=True) for api, model in WAYS]
        wholes = [Answer(caller, api, model, text) for api, model in WAYS]
        for answer in streams:
            await answer.until(b"two")
        async with asyncio.timeout(60):
            while times_asked(vendors, text) < 2 * len(WAYS):
                await asyncio.sleep(0.02)
        draining.terminate()
        for answer in streams:
            end = (await answer.rest()).rpartition(b"two")[2]
            assert (answer.is_whole, end.count(FAILED)) == (False, 1), end
            assert b"the server shut down before the answer's end" in end
        for answer in wholes:
            assert "the server shut down" in json.loads(await answer.rest())["error"]["message"]
            assert (await answer.headers())[STATUS] == REFUSED[answer.api]
        assert await draining.process.wait() == 0
