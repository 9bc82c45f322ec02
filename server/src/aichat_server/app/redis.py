"""The settings of REDIS_URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aichat_server.core.redis.client import RedisUrlError, connection_options
from aichat_server.settings import SettingsError


@contextmanager
def redis_named() -> Iterator[None]:
    """Raises SettingsError for a REDIS_URL that cannot be used."""
    try:
        yield
    except RedisUrlError as error:
        raise SettingsError(f"REDIS_URL: {error}") from None


def queue_connection() -> dict[str, Any]:
    """Returns connection options for the client of the jobs' queue: the same as the server's."""
    return connection_options()
