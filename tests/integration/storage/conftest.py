"""What the tests of storage share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest
from aichat_server.domain.identity import Principal
from aichat_server.storage.database import Database

from tests.fixtures.postgres import postgres_folder


@pytest.fixture
async def other(database: Database) -> Principal:
    """A member of another new organisation."""
    org_id, member_id = uuid4(), uuid4()
    async with database.tenant(org_id, member_id) as tenant:
        await tenant.organizations.ensure("Other", member_id)
    return Principal(org_id, member_id)


@pytest.fixture
def folder() -> Generator[Path, None, None]:
    """A folder for a Postgres of the test's own."""
    with postgres_folder() as path:
        yield path
