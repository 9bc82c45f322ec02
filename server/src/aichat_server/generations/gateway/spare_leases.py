"""Leases in Redis, for the time in which the database takes none: they say that an answer's process is alive."""

from __future__ import annotations

from collections.abc import Collection

from aichat_server.core.redis.client import AnyRedis, ask, ask_all
from aichat_server.generations.domain.generation import GenerationKey

LEASE_SECONDS = 15
"""Longer than a renewal that the database does not answer, and the pause after it."""


class SpareLeases:
    """Renews and reads them. RedisUnavailableError if that does not work."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def renew(self, keys: Collection[GenerationKey]) -> None:
        """These answers are being written, for LEASE_SECONDS from now."""
        if keys:
            await ask_all(self._redis, [("SET", _name(key), "", "EX", LEASE_SECONDS) for key in keys])

    async def has(self, key: GenerationKey) -> bool:
        """Whether the answer is being written, as far as Redis knows."""
        return bool(await ask(self._redis, lambda: self._redis.exists(_name(key))))


def _name(key: GenerationKey) -> str:
    # A Redis cluster keeps together what is alike in braces.
    return f"aichat:lease:{{{key.org_id}}}:{key.generation_id}"
