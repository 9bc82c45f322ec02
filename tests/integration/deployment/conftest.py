"""This version and the previous one, on a database of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from aichat_sandbox.postgres import Postgres, run_postgres

from tests.fixtures.postgres import postgres_folder
from tests.integration.deployment.versions import Version, version_before


@pytest.fixture(scope="module")
async def empty() -> AsyncGenerator[Postgres, None]:
    """A Postgres without migrations."""
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            yield server


@pytest.fixture(scope="module")
def now(empty: Postgres, server_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Version:
    """This version, with a database of its own."""
    urls = {"DATABASE_URL": empty.app_url, "AICHAT_MIGRATION_DATABASE_URL": empty.owner_url}
    return Version({**server_settings, **urls}, tmp_path_factory.mktemp("now"))


@pytest.fixture(scope="module")
def before(now: Version, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The previous version, from git, with the same database."""
    return version_before(now, tmp_path_factory.mktemp("before"))
