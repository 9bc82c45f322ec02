"""Two replicas on one Postgres and one Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.fixtures.redis import Redis
from tests.fixtures.server import RunServer, ServerUnderTest

HEARTBEAT_SECONDS = 0.3


@pytest.fixture(scope="session")
async def writer(run_server: RunServer, redis: Redis) -> AsyncGenerator[ServerUnderTest, None]:
    """The replica that is asked."""
    async with run_server(REDIS_URL=redis.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server


@pytest.fixture(scope="session")
async def reader(run_server: RunServer, redis: Redis) -> AsyncGenerator[ServerUnderTest, None]:
    """The other one."""
    async with run_server(REDIS_URL=redis.url, AICHAT_HEARTBEAT_SECONDS=str(HEARTBEAT_SECONDS)) as server:
        yield server
