"""Two replicas on one Postgres and one Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.server import RunServer, ServerUnderTest

HEARTBEAT_SECONDS = 1.0


@pytest.fixture(scope="session")
async def redis() -> AsyncGenerator[RedisUnderTest, None]:
    """One for all of these tests. A test that kills it restarts it."""
    async with run_redis() as server:
        yield server


@pytest.fixture(scope="session")
async def writer(run_server: RunServer, redis: RedisUnderTest) -> AsyncGenerator[ServerUnderTest, None]:
    """The replica that gets the question."""
    async with run_server(REDIS_URL=redis.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server


@pytest.fixture(scope="session")
async def reader(run_server: RunServer, redis: RedisUnderTest) -> AsyncGenerator[ServerUnderTest, None]:
    """The other replica."""
    async with run_server(REDIS_URL=redis.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server
