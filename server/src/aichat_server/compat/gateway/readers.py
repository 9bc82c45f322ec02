"""Readers in Redis, where every replica finds them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

from aichat_server.compat.domain.readers import OLDER_SECONDS, Left, Slot, Taken
from aichat_server.core.redis.client import AnyRedis, unavailable
from aichat_server.core.redis.scripts import Script

# Far more than a round trip takes. A new call waits for the answer.
_ANSWER_SECONDS = 0.5
_REMEMBERED_SECONDS = 900


class SharedReaders:
    """The readers of all replicas. Its methods raise RedisUnavailableError."""

    def __init__(self, redis: AnyRedis, *, window_seconds: float) -> None:
        """`window_seconds`: how long an answer waits for a retry."""
        source = Path(__file__).with_name("readers.lua").read_text(encoding="utf-8")
        # Nothing is sent twice: what was taken would not be there any more.
        self._script = Script(redis, source, attempts=1)
        self._window_ms = max(1, round(1000 * window_seconds))

    async def take(self, slot: Slot, reader: str, *, retries: bool) -> Taken:
        """Adds a reader, and returns what it finds. `retries`: whether its call says that it is a retry."""
        answer = await self._run(
            slot, "take", reader, int(retries), round(1000 * OLDER_SECONDS), 1000 * _REMEMBERED_SECONDS
        )
        return Taken(UUID(bytes=answer)) if isinstance(answer, bytes) else Taken(others=answer > 0)

    async def go(self, slot: Slot, reader: str) -> None:
        """Removes a reader that has no retry."""
        await self._run(slot, "go", reader)

    async def leave(self, slot: Slot, reader: str, how: Left, generation_id: UUID) -> None:
        """Removes a reader whose answer waits for a retry."""
        await self._run(slot, "leave", reader, how.value, generation_id.bytes, self._window_ms)

    async def take_back(self, slot: Slot, generation_id: UUID) -> bool:
        """Returns whether the answer has waited until now. From now on no call gets it."""
        return bool(await self._run(slot, "take_back", generation_id.bytes))

    async def _run(self, slot: Slot, *arguments: str | bytes | int) -> int | bytes:
        # A Redis cluster stores keys together that have the same text in braces.
        name = f"aichat:readers:{{{slot.org_id}}}:{slot.digest.hex()}"
        keys = [f"{name}:{part}" for part in ("live", "vanished", "whole")]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                [answer] = await self._script.run([(keys, arguments)])
        except TimeoutError as error:
            raise unavailable(error) from error
        if isinstance(answer, Exception):
            raise unavailable(answer) from answer
        found: int | bytes = answer
        return found
