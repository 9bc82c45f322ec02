"""Abandoned generations: nobody knows whether they have begun. Each is ended once the database answers."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import NamedTuple, NoReturn

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Beginning
from aichat_server.generations.domain.sinks import Sink

_log = structlog.get_logger()

_RETRY_SECONDS = 0.5


class _Abandoned(NamedTuple):
    sink: Sink
    beginning: Beginning
    failure: AichatError


class Abandoned:
    """Ends them one by one while `run` runs. Those that a process leaves behind end when their leases expire."""

    def __init__(self) -> None:
        self._waiting: deque[_Abandoned] = deque()
        self._news = asyncio.Event()

    def add(self, sink: Sink, beginning: Beginning, failure: AichatError) -> None:
        """Ends the generation with `failure`, as soon as the database answers."""
        # There may be many, and what they ask is not needed.
        self._waiting.append(_Abandoned(sink, replace(beginning, options={}), failure))
        self._news.set()

    async def run(self) -> NoReturn:
        """Ends what was added, the oldest first. It retries while the database is away."""
        while True:
            while self._waiting:
                if await self._end(self._waiting[0]):
                    self._waiting.popleft()
                else:
                    await asyncio.sleep(_RETRY_SECONDS)
            self._news.clear()
            await self._news.wait()

    async def _end(self, one: _Abandoned) -> bool:
        """Returns False if the database is away."""
        ids = {"org_id": str(one.beginning.org_id), "generation_id": str(one.beginning.generation_id)}
        try:
            await one.sink.abandon(one.beginning, one.failure)
        except Exception as error:  # noqa: BLE001 — one that cannot be ended must not stop the others
            if isinstance(error, AichatError) and error.reason is Reason.STORAGE_UNAVAILABLE:
                return False
            _log.exception("generation not ended that may have begun", **ids)
            return True
        _log.info("generation ended that may have begun", **ids)
        return True
