"""Readers in Redis, where every replica finds them."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

from aichat_server.compat.domain.readers import OLDER_SECONDS, Left, Slot, Taken
from aichat_server.core.redis.client import AnyRedis, unavailable
from aichat_server.core.redis.scripts import Script

# Far more than a round trip takes, even for a busy process, and enough for a second one. A new call waits for it.
_ANSWER_SECONDS = 2.5
# Nobody waits for the others, and a retry comes later.
_PATIENT_SECONDS = 3.0
_REMEMBERED_SECONDS = 900


class SharedReaders:
    """The readers of all replicas. Its methods raise RedisUnavailableError."""

    def __init__(self, redis: AnyRedis) -> None:
        source = Path(__file__).with_name("readers.lua").read_text(encoding="utf-8")
        self._script = Script(redis, source)

    async def take(self, slot: Slot, reader: str, *, retries: bool) -> Taken:
        """Adds a reader, and returns what it finds. `retries`: whether its call says that it is a retry."""
        answer = await self._run(
            _ANSWER_SECONDS, slot, "take", reader, int(retries), round(1000 * OLDER_SECONDS), 1000 * _REMEMBERED_SECONDS
        )
        if isinstance(answer, int):
            return Taken(others=answer > 0)
        generation_id, milliseconds = answer
        return Taken(UUID(bytes=generation_id), milliseconds / 1000)

    async def go(self, slot: Slot, reader: str) -> None:
        """Removes a reader that has no retry."""
        await self._run(_PATIENT_SECONDS, slot, "go", reader)

    async def leave(self, slot: Slot, reader: str, how: Left, generation_id: UUID, seconds: float) -> None:
        """Removes a reader whose answer waits for a retry for so long."""
        await self._run(
            _PATIENT_SECONDS, slot, "leave", reader, how.value, generation_id.bytes, max(1, round(1000 * seconds))
        )

    async def take_back(self, slot: Slot, generation_id: UUID) -> bool:
        """Returns whether the answer has waited until now. From now on no call gets it."""
        return bool(await self._run(_PATIENT_SECONDS, slot, "take_back", generation_id.bytes))

    async def expire(self, slot: Slot, generation_id: UUID) -> float | None:
        """Returns 0 if the answer has waited for its whole time; from now on no call gets it. None if a call got it.

        Otherwise returns the seconds that it still waits: another reader got it, and has left it since.
        """
        found = await self._run(_PATIENT_SECONDS, slot, "expire", generation_id.bytes)
        return None if found == 0 else max(0, -found) / 1000

    async def _run(self, seconds: float, slot: Slot, *arguments: str | bytes | int) -> Any:
        # A Redis cluster stores keys together that have the same text in braces.
        name = f"aichat:readers:{{{slot.org_id}}}:{slot.digest.hex()}"
        keys = [f"{name}:{part}" for part in ("live", "vanished", "whole", f"results:{secrets.token_hex(8)}")]
        try:
            async with asyncio.timeout(seconds):
                [answer] = await self._script.run([(keys, arguments)])
        except TimeoutError as error:
            raise unavailable(error) from error
        if isinstance(answer, Exception):
            raise unavailable(answer) from answer
        return answer
