"""A Postgres whose platform has no caps, so that an organisation has only the quotas that a test sets."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database, open_database

from tests.fixtures.postgres import fresh_postgres


@pytest.fixture(scope="session")
async def postgres() -> AsyncGenerator[Postgres, None]:
    async with fresh_postgres() as server:
        yield server


@pytest.fixture(scope="session")
async def database(postgres: Postgres) -> AsyncGenerator[Database, None]:
    async with open_database(postgres.app_url, pool_size=10) as opened:
        yield opened
