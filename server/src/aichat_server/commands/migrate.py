"""`migrate`: migrates the database to this version's schema, and updates its prices."""

from __future__ import annotations

import argparse
import asyncio

from aichat_server.app.catalogue import build_prices
from aichat_server.commands.owner import owner_url
from aichat_server.core.database.migrate import migrate
from aichat_server.core.database.schema import SchemaMismatchError
from aichat_server.models.service import add_prices
from aichat_server.settings import Settings, SettingsError


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Migrates as the schema's owner, and gives the server's role its rights."""
    try:
        asyncio.run(_migrate(owner_url(settings), settings))
    except SchemaMismatchError as error:
        raise SettingsError(f"AICHAT_MIGRATION_DATABASE_URL: {error}") from None
    return 0


async def _migrate(url: str, settings: Settings) -> None:
    await migrate(url, str(settings.database_url))
    await add_prices(url, build_prices(settings))
