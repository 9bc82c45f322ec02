"""Vectors in Redis, for as long as a caller may ask again because the reply was lost."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

import msgspec
import structlog

from aichat_server.core.redis.client import AnyRedis, RedisUnavailableError, ask
from aichat_server.generations.domain.generation import GenerationKey

MOST_BYTES = 64 * 1024 * 1024
"""What one process keeps at a time: vectors are large, and Redis has more important things to hold."""

_log = structlog.get_logger()


class KeptVectors:
    """Keeps and finds vectors. Without Redis, or without room, they are not kept."""

    def __init__(self, redis: AnyRedis, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._redis = redis
        self._clock = clock
        self._kept: list[tuple[float, int]] = []
        """When each expires that is kept now, and its bytes: a heap."""
        self._bytes = 0
        self._is_full = False

    async def keep(self, key: GenerationKey, vectors: tuple[bytes, ...], seconds: int) -> None:
        """Keeps the vectors for so long, if there is room."""
        if not self._takes(sum(map(len, vectors)), seconds):
            return
        packed = msgspec.msgpack.encode(vectors)
        try:
            await ask(self._redis, lambda: self._redis.set(_name(key), packed, ex=seconds))
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

    def _takes(self, size: int, seconds: int) -> bool:
        now = self._clock()
        while self._kept and self._kept[0][0] <= now:
            self._bytes -= heapq.heappop(self._kept)[1]
        was_full, self._is_full = self._is_full, self._bytes + size > MOST_BYTES
        if self._is_full:
            if not was_full:
                _log.warning("vectors are not kept for repeated calls: no room", bytes=self._bytes)
            return False
        heapq.heappush(self._kept, (now + seconds, size))
        self._bytes += size
        return True


def _name(key: GenerationKey) -> str:
    return f"aichat:vectors:{{{key.org_id}}}:{key.generation_id}"
