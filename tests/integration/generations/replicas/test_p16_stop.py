"""Promise 16: a server that shuts down ends in order, whatever happened to Redis."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.redis import run_redis
from tests.fixtures.server import ApiKey, RunServer
from tests.integration.conversations.asking import ask, first_event, script, stream

# A drain of 1 s, and the time until a process ends by force, on a busy machine.
END_SECONDS = 60


@pytest.mark.parametrize("fate", ["killed", "held still", "killed while it stops"])
async def test_a_server_stops_whatever_redis_does(run_server: RunServer, api_key: ApiKey, fate: str) -> None:
    async with run_redis() as redis, run_server(REDIS_URL=redis.url, AICHAT_DRAIN_SECONDS="1") as server:
        await ask(server, api_key, script(deltas=["hello"]))
        running = stream(server, api_key, script(deltas=["a", "b"], hang_after=1))
        await first_event(running)
        if fate == "killed":
            await redis.kill()
        elif fate == "held still":
            redis.hold()
        server.terminate()
        if fate == "killed while it stops":
            await redis.kill()
        async with asyncio.timeout(END_SECONDS):
            assert await server.process.wait() == 0
        if fate == "held still":
            redis.let_go()
