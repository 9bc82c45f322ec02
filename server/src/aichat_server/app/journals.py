"""Builds the copies of journals, for servers that write them and jobs that read those of lost answers."""

from __future__ import annotations

from aichat_server.core.redis.client import AnyRedis
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.settings import Settings


def build_streams(settings: Settings, redis: AnyRedis) -> JournalStreams:
    """Builds the copies, which are kept as long as the settings say."""
    return JournalStreams(
        redis, retention_seconds=settings.journal_retention_seconds, rescue_seconds=settings.rescue_seconds
    )
