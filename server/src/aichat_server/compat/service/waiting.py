"""Answers whose readers have left, and which wait for a retry: in this process, and where all replicas find them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from aichat_server.compat.domain.readers import OLDER_SECONDS, Left, Reader, Slot, Taken
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.service.handle import Handle

_log = structlog.get_logger()

# After a failure Redis is not asked for this long: no call should wait for one that does not answer.
_REST_SECONDS = 5.0

Spawn = Callable[[Coroutine[Any, Any, bool]], "asyncio.Task[bool]"]


@dataclass(frozen=True, slots=True)
class Departure:
    """A reader that left, and its answer, which waits for a retry."""

    slot: Slot
    reader: Reader
    how: Left
    generation_id: UUID
    seconds: float
    """How long it waits."""
    handle: Handle | None
    """The answer's, if this process writes it: it has the events even if Redis does not."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    departure: Departure
    shared: asyncio.Task[bool] | None
    """Returns whether Redis has it, too."""
    timer: asyncio.TimerHandle

    @property
    def seconds_left(self) -> float:
        """How much longer it would have waited."""
        return self.timer.when() - asyncio.get_running_loop().time()


class WaitingAnswers:
    """Lets answers wait for a retry. Without Redis, or while it is away, only this process's retries find them."""

    def __init__(
        self,
        shared: SharedReaders | None,
        spawn: Spawn,
        when_over: Callable[[Departure], object],
    ) -> None:
        """`spawn` runs what the caller does not wait for. `when_over` gets each departure nobody came back from."""
        self._shared = shared
        self._spawn = spawn
        self._when_over = when_over
        self._live: dict[Slot, dict[str, float]] = {}
        self._waiting: dict[Slot, dict[UUID, _Waiting]] = {}
        self._rests_until = 0.0

    async def take(self, slot: Slot, reader: Reader) -> tuple[Taken, Handle | None]:
        """Adds a reader. Returns what it finds, and the handle of the answer if this process has it."""
        here = await self._take_here(slot, retries=bool(reader.retries))
        if here is not None:
            return Taken(here.departure.generation_id, here.seconds_left), here.departure.handle
        if self._shared is not None and not self._rests:
            try:
                return await self._shared.take(slot, reader.name, retries=bool(reader.retries)), None
            except RedisUnavailableError as error:
                self._rest(error)
        readers = self._live.setdefault(slot, {})
        came = readers.setdefault(reader.name, asyncio.get_running_loop().time())
        return Taken(others=min(readers.values()) < came - OLDER_SECONDS), None

    def go(self, slot: Slot, reader: Reader) -> None:
        """Removes a reader that has no retry."""
        self._remove_reader(slot, reader)
        if self._shared is not None:
            self._spawn(self._tell(self._shared.go(slot, reader.name)))

    def leave(self, departure: Departure) -> None:
        """Removes a reader whose answer waits for a retry."""
        slot, reader, generation_id = departure.slot, departure.reader, departure.generation_id
        self._remove_reader(slot, reader)
        shared: asyncio.Task[bool] | None = None
        if self._shared is not None:
            shared = self._spawn(
                self._tell(self._shared.leave(slot, reader.name, departure.how, generation_id, departure.seconds))
            )
        timer = asyncio.get_running_loop().call_later(departure.seconds, self._over, departure)
        self._waiting.setdefault(slot, {})[generation_id] = _Waiting(departure, shared, timer)

    def _remove_reader(self, slot: Slot, reader: Reader) -> None:
        readers = self._live.get(slot, {})
        readers.pop(reader.name, None)
        if not readers:
            self._live.pop(slot, None)

    async def _take_here(self, slot: Slot, *, retries: bool) -> _Waiting | None:
        while True:
            waiting = [one.departure for one in self._waiting.get(slot, {}).values()]
            found = next((one for one in waiting if one.how is not Left.WHOLE), None)
            if found is None and retries:
                found = next(reversed(waiting), None)
            if found is None:
                return None
            taken = self._remove(found)
            if await self._is_ours(taken):
                return taken

    async def _is_ours(self, one: _Waiting) -> bool:
        """Whether no other replica has taken what has waited here, as far as is known."""
        if self._shared is None or one.shared is None or not await one.shared:
            return True
        try:
            return await self._shared.take_back(one.departure.slot, one.departure.generation_id)
        except RedisUnavailableError as error:
            self._rest(error)
            return True

    def _remove(self, departure: Departure) -> _Waiting:
        waiting = self._waiting[departure.slot]
        one = waiting.pop(departure.generation_id)
        one.timer.cancel()
        if not waiting:
            del self._waiting[departure.slot]
        return one

    def _over(self, departure: Departure) -> None:
        one = self._remove(departure)
        if departure.how is Left.VANISHED:
            self._spawn(self._end(one))

    async def _end(self, one: _Waiting) -> bool:
        """Returns whether nobody came back."""
        left: float | None = 0.0
        if self._shared is not None and one.shared is not None and await one.shared:
            try:
                left = await self._shared.expire(one.departure.slot, one.departure.generation_id)
            except RedisUnavailableError as error:
                self._rest(error)
                # Nothing is done to an answer that another replica's reader may read.
                return False
        if left:
            asyncio.get_running_loop().call_later(left, lambda: self._spawn(self._end(one)))
        elif left is not None:
            self._when_over(one.departure)
        return left == 0

    async def _tell(self, telling: Coroutine[Any, Any, None]) -> bool:
        """Returns whether Redis was told."""
        try:
            await telling
        except RedisUnavailableError as error:
            self._rest(error)
            return False
        return True

    @property
    def _rests(self) -> bool:
        return asyncio.get_running_loop().time() < self._rests_until

    def _rest(self, error: RedisUnavailableError) -> None:
        if not self._rests:
            _log.warning("retries find only answers of the same process", cause=str(error))
        self._rests_until = asyncio.get_running_loop().time() + _REST_SECONDS
