"""Spare leases, in Redis: they say that an answer's process is alive while the database is away."""

from __future__ import annotations

from collections.abc import Collection

from aichat_server.core.redis.client import AnyRedis, ask, ask_all
from aichat_server.generations.domain.generation import GenerationKey

LEASE_SECONDS = 15
"""Longer than a failing renewal in the database, and the pause after it."""


class SpareLeases:
    """Renews and reads spare leases. Its methods raise RedisUnavailableError."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def renew(self, keys: Collection[GenerationKey]) -> None:
        """Leases these answers for LEASE_SECONDS from now."""
        if keys:
            await ask_all(self._redis, [("SET", _name(key), "", "EX", LEASE_SECONDS) for key in keys])

    async def has(self, key: GenerationKey) -> bool:
        """Returns whether the answer has a spare lease."""
        return bool(await ask(self._redis, lambda: self._redis.exists(_name(key))))


def _name(key: GenerationKey) -> str:
    # A Redis cluster stores keys together that have the same text in braces.
    return f"aichat:lease:{{{key.org_id}}}:{key.generation_id}"
