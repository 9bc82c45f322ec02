"""Turns of which this process does not know whether they have begun: each is ended once the database answers."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import NoReturn

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.storage.turns import TurnBegin, TurnStore

_log = structlog.get_logger()

_RETRY_SECONDS = 0.5


class Abandoned:
    """Ends them one after another while `run` runs. What a process leaves of them ends when its leases are over."""

    def __init__(self, turns: TurnStore) -> None:
        self._turns = turns
        self._waiting: deque[tuple[TurnBegin, AichatError]] = deque()
        self._news = asyncio.Event()

    def add(self, turn: TurnBegin, failure: AichatError) -> None:
        """Ends the turn with `failure`, now or later."""
        # There may be many, and their words are not needed.
        self._waiting.append((replace(turn, title="", parts=(), options={}), failure))
        self._news.set()

    async def run(self) -> NoReturn:
        """Ends what was added, the oldest first; a database that is away is asked again and again."""
        while True:
            while self._waiting:
                if await self._end(*self._waiting[0]):
                    self._waiting.popleft()
                else:
                    await asyncio.sleep(_RETRY_SECONDS)
            self._news.clear()
            await self._news.wait()

    async def _end(self, turn: TurnBegin, failure: AichatError) -> bool:
        """False if the database is away."""
        ids = {"org_id": str(turn.org_id), "generation_id": str(turn.generation_id)}
        try:
            await self._turns.abandon(turn, failure)
        except Exception as error:  # noqa: BLE001 — one that cannot be ended keeps no other waiting
            if isinstance(error, AichatError) and error.reason is Reason.STORAGE_UNAVAILABLE:
                return False
            _log.exception("turn not ended that may have begun", **ids)
            return True
        _log.info("turn ended that may have begun", **ids)
        return True
