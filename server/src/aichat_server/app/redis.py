"""What REDIS_URL names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aichat_server.core.redis.client import RedisUrlError, connection_options
from aichat_server.settings import SettingsError


@contextmanager
def redis_named() -> Iterator[None]:
    """SettingsError for a REDIS_URL that cannot be used."""
    try:
        yield
    except RedisUrlError as error:
        raise SettingsError(f"REDIS_URL: {error}") from None


def queue_connection() -> dict[str, Any]:
    """How the client of the jobs' queue connects: as the server's do."""
    return connection_options()
