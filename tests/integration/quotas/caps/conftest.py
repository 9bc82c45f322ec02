"""A separate Postgres, since these tests set limits of the whole platform."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan
from aichat_server.quotas.domain import PlatformLimit
from aichat_server.quotas.service import set_platform_limits

from tests.fixtures.postgres import fresh_postgres

USD = 1_000_000_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NO_END = NanoUsd(10**18)


@pytest.fixture(scope="session")
async def postgres() -> AsyncGenerator[Postgres, None]:
    async with fresh_postgres() as server:
        yield server


@pytest.fixture
async def database(postgres: Postgres) -> AsyncGenerator[Database, None]:
    """A database whose platform has very high caps, until a test sets one."""
    async with open_database(postgres.app_url, pool_size=20) as opened:
        await set_platform_limits(opened, dict.fromkeys(PlatformLimit, NO_END))
        yield opened


async def organization(database: Database, plan: Plan) -> Principal:
    """Returns the owner of a new organisation that has always been on the plan."""
    org_id, member_id = uuid4(), uuid4()
    async with database.session(org_id, Actor.member(member_id)) as session:
        await OrganizationRepository(session).ensure("Acme", member_id)
        await OrganizationRepository(session).set_plan(plan, LONG_AGO)
    return Principal(org_id, member_id)
