"""The tables' rows as the superuser sees them, without row-level security."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
from aichat_sandbox.postgres import Postgres

WRITTEN_BY_TURNS = ("conversations", "messages", "generations")


@asynccontextmanager
async def connection(url: str) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record], None]:
    """A separate connection, outside of the server's pools."""
    opened = await asyncpg.connect(url)
    try:
        yield opened
    finally:
        await opened.close()


async def owner_rows(postgres: Postgres, org_id: UUID) -> dict[str, list[asyncpg.Record]]:
    """Returns all that turns have stored for an organisation, by table; empty if that is nothing."""
    found = {}
    async with connection(postgres.owner_url) as owner:
        for table in WRITTEN_BY_TURNS:
            rows = await owner.fetch(f"SELECT * FROM aichat.{table} WHERE org_id = $1 ORDER BY 1, 2", org_id)  # noqa: S608
            if rows:
                found[table] = rows
    return found
