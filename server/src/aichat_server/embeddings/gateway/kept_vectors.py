"""Vectors in Redis, for as long as a caller may ask again because the reply was lost."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from aichat_server.core.redis.client import AnyRedis, RedisUnavailableError, ask
from aichat_server.generations.domain.generation import GenerationKey

KEPT_SECONDS = 60
MOST_BYTES = 64 * 1024 * 1024
"""What one process keeps at a time: vectors are large, and Redis has more important things to hold."""

_log = structlog.get_logger()


class KeptVectors:
    """Keeps and finds vectors. Without Redis, or without room, they are not kept."""

    def __init__(self, redis: AnyRedis, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._redis = redis
        self._clock = clock
        self._kept = deque[tuple[float, int]]()
        """When each expires that is kept now, and its bytes."""
        self._bytes = 0

    async def keep(self, key: GenerationKey, vectors: tuple[bytes, ...]) -> None:
        """Keeps the vectors for KEPT_SECONDS, if there is room."""
        if not self._takes(sum(map(len, vectors))):
            _log.warning("vectors not kept for a repeated call: no room", generation_id=str(key.generation_id))
            return
        packed = msgspec.msgpack.encode(vectors)
        try:
            await ask(self._redis, lambda: self._redis.set(_name(key), packed, ex=KEPT_SECONDS))
        except RedisUnavailableError as error:
            told = {"generation_id": str(key.generation_id), "cause": str(error)}
            _log.warning("vectors not kept for a repeated call", **told)

    async def find(self, key: GenerationKey) -> tuple[bytes, ...] | None:
        """Returns the vectors; None if they are not kept, or no longer."""
        try:
            packed = await ask(self._redis, lambda: self._redis.get(_name(key)))
        except RedisUnavailableError:
            return None
        return msgspec.msgpack.decode(packed, type=tuple[bytes, ...]) if isinstance(packed, bytes) else None

    def _takes(self, size: int) -> bool:
        now = self._clock()
        while self._kept and self._kept[0][0] <= now:
            self._bytes -= self._kept.popleft()[1]
        if self._bytes + size > MOST_BYTES:
            return False
        self._kept.append((now + KEPT_SECONDS, size))
        self._bytes += size
        return True


def _name(key: GenerationKey) -> str:
    return f"aichat:vectors:{{{key.org_id}}}:{key.generation_id}"
