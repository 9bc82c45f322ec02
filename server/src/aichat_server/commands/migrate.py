"""`migrate`: brings the database to this version's schema."""

from __future__ import annotations

import argparse
import asyncio

from aichat_server.settings import Settings, SettingsError
from aichat_server.storage.migrate import migrate


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Migrates as the schema's owner, and lets the server's role in."""
    if settings.migration_database_url is None:
        raise SettingsError("AICHAT_MIGRATION_DATABASE_URL: missing; it names the role that owns the schema `aichat`")
    asyncio.run(migrate(str(settings.migration_database_url), str(settings.database_url)))
    return 0
