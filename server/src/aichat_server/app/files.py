"""Builds the files of organisations."""

from __future__ import annotations

from aichat_server.core.database.database import Database
from aichat_server.files.gateway.object_storage import ObjectStorage, open_storage
from aichat_server.files.service.files import Files
from aichat_server.settings import Settings


def build_storage(settings: Settings) -> ObjectStorage | None:
    """Returns the storage of files; None without AICHAT_FILES_URL."""
    if settings.files_url is None:
        return None
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    given = {
        "access_key_id": key.get_secret_value() if key else None,
        "secret_access_key": secret.get_secret_value() if secret else None,
        "endpoint": settings.aws_endpoint_url,
        "region": settings.aws_region,
    }
    return open_storage(settings.files_url, {name: value for name, value in given.items() if value})


def build_files(settings: Settings, database: Database) -> Files:
    """Returns the files; without AICHAT_FILES_URL it refuses all."""
    return Files(database, build_storage(settings))
