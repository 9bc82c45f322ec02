"""Opens the settings' database, for the composition root and for commands that need no more."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.pool import CALLS, JOBS, Patience
from aichat_server.core.database.role import UnsafeRoleError, check_role
from aichat_server.core.database.schema import SchemaMismatchError, check_schema
from aichat_server.core.money import from_decimal
from aichat_server.quotas.domain import PlatformLimit
from aichat_server.quotas.service import set_platform_limits
from aichat_server.settings import Settings, SettingsError

_log = structlog.get_logger()


@asynccontextmanager
async def connect_database(settings: Settings, patience: Patience = JOBS) -> AsyncGenerator[Database, None]:
    """Opens the database, with a role under row-level security and a schema that this version works on.

    Raises SettingsError otherwise.
    """
    async with open_database(
        str(settings.database_url),
        pool_size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
        patience=patience,
    ) as database:
        try:
            await check_role(database)
            is_ahead = await check_schema(database)
        except (UnsafeRoleError, SchemaMismatchError) as error:
            raise SettingsError(f"DATABASE_URL: {error}") from None
        if is_ahead:
            _log.warning("the database is ahead of this version, which still runs on it: replace it soon")
        yield database


@asynccontextmanager
async def connect_serving(settings: Settings) -> AsyncGenerator[Database, None]:
    """The same for a server, which sets the platform's limits to its settings."""
    limits = {
        PlatformLimit.OVERAGE: from_decimal(settings.overage_cap_usd),
        PlatformLimit.FREE_PLAN: from_decimal(settings.free_cap_usd),
    }
    async with connect_database(settings, CALLS) as database:
        await set_platform_limits(database, limits)
        yield database
