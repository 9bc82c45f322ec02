"""The database that the settings name, for the composition root and for commands that need no more than it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aichat_server.settings import Settings, SettingsError
from aichat_server.storage.database import Database, open_database
from aichat_server.storage.role import UnsafeRoleError


@asynccontextmanager
async def connect_database(settings: Settings) -> AsyncGenerator[Database, None]:
    """The database, as a role that row-level security holds; SettingsError if it does not."""
    async with open_database(
        str(settings.database_url),
        pool_size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
        lease_seconds=settings.lease_seconds,
        hold_seconds=settings.hold_seconds,
        quota_fail_closed=settings.quota_fail_closed,
    ) as database:
        try:
            await database.check_role()
        except UnsafeRoleError as error:
            raise SettingsError(f"DATABASE_URL: {error}") from None
        yield database
