"""The database that the settings name, for the composition root and for commands that need no more than it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from aichat_server.settings import Settings, SettingsError
from aichat_server.storage.database import Database, open_database
from aichat_server.storage.role import UnsafeRoleError
from aichat_server.storage.schema import SchemaMismatchError

_log = structlog.get_logger()


@asynccontextmanager
async def connect_database(settings: Settings) -> AsyncGenerator[Database, None]:
    """The database, as a role that row-level security holds, with a schema that this version is for.

    SettingsError if it is not so.
    """
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
            is_ahead = await database.check_schema()
        except (UnsafeRoleError, SchemaMismatchError) as error:
            raise SettingsError(f"DATABASE_URL: {error}") from None
        if is_ahead:
            _log.warning("the database is ahead of this version, which still runs on it: replace it soon")
        yield database
