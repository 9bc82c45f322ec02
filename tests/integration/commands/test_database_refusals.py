"""A database that refuses connections gives one sentence that names the cause, for every command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres

from tests.fixtures.rows import connection
from tests.integration.commands.test_commands import run

ROLE = "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)"


@pytest.fixture
async def stranger(postgres: Postgres) -> AsyncGenerator[str, None]:
    """Yields the URL of a role without rights in the database."""
    name = f"stranger_{uuid4().hex}"
    async with connection(postgres.owner_url) as owner:
        await owner.execute(await owner.fetchval(ROLE, name, "s3cret"))
        try:
            yield postgres.app_url.replace("aichat_app", name).replace(postgres.app_password, "s3cret")
        finally:
            await owner.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("arguments", [("serve",), ("quotas", "show", "--organization-id", str(uuid4()))])
async def test_a_wrong_password_and_a_missing_database(
    server_settings: dict[str, str], postgres: Postgres, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    url = postgres.app_url
    wrong = {
        url.replace(postgres.app_password, "wr0ng"): "refuses the password",
        url.rpartition("/")[0] + "/nowhere": "does not exist",
    }
    for database_url, named in wrong.items():
        code, said = await run(server_settings | {"DATABASE_URL": database_url}, tmp_path, *arguments)
        assert code == 1
        assert named in said
        assert said.count("\n") == 1
        assert "wr0ng" not in said


async def test_missing_rights(server_settings: dict[str, str], stranger: str, tmp_path: Path) -> None:
    as_server = await run(server_settings | {"DATABASE_URL": stranger}, tmp_path, "serve")
    as_owner = await run(server_settings | {"AICHAT_MIGRATION_DATABASE_URL": stranger}, tmp_path, "migrate")
    for code, said in (as_server, as_owner):
        assert code in {1, 2}
        assert "Traceback" not in said
        assert "s3cret" not in said
        assert said.count("\n") == 1
        assert "lacks a right" in said or "aichat_app" in said
