"""The URL of the database's owner, for commands that write what the server may not."""

from __future__ import annotations

from aichat_server.settings import Settings, SettingsError


def owner_url(settings: Settings) -> str:
    """Returns the owner's URL; raises SettingsError if it is missing."""
    if settings.migration_database_url is None:
        raise SettingsError("AICHAT_MIGRATION_DATABASE_URL: missing; it names the role that owns the schema `aichat`")
    return str(settings.migration_database_url)
