"""The numbered events of one generation, kept for any number of readers, each at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from aichat_server.core.errors import AichatError, invalid_request
from aichat_server.generations.domain.stream import Heartbeat, Portion, Position, StreamEvent

Events = AsyncGenerator[tuple[int, StreamEvent], None]
"""What one reader sees: events and their numbers. Close it when it is left early."""

HEARTBEAT = Heartbeat()


class JournalLostError(Exception):
    """The rest of the events cannot be had any more, though there were some."""


class Journal:
    """Events in order, numbered from 1, until it is closed. A slow reader costs nothing: it reads the same list."""

    def __init__(self, heartbeat_seconds: float) -> None:
        """A reader is told after each silence of `heartbeat_seconds`."""
        self._heartbeat_seconds = heartbeat_seconds
        self._events: list[StreamEvent] = []
        self._readers: set[_Wakeup] = set()
        self._closed = False
        self._failure: AichatError | JournalLostError | None = None
        self._on_change: Callable[[], None] = _nothing
        self._on_abandoned: Callable[[], object] = _nothing

    @property
    def position(self) -> Position:
        """How far the journal has got."""
        return Position(len(self._events), self._closed)

    def when_changed(self, tell: Callable[[], None]) -> None:
        """From now on `tell` is called after each change."""
        self._on_change = tell

    def when_abandoned(self, tell: Callable[[], object]) -> None:
        """From now on `tell` is called when the last reader has gone before the end."""
        self._on_abandoned = tell

    def since(self, position: Position) -> Portion:
        """The events behind `position`."""
        failure = self._failure if isinstance(self._failure, AichatError) else None
        return Portion(self.position, tuple(self._events[position.sequence :]), failure)

    def append(self, event: StreamEvent) -> None:
        """Adds an event and wakes the readers."""
        self._events.append(event)
        self._wake()

    def close(self, failure: AichatError | JournalLostError | None = None) -> None:
        """No more events come; readers end, or fail with `failure`. Only the first close counts."""
        if not self._closed:
            self._closed, self._failure = True, failure
            self._wake()

    async def read(self, after: int = 0) -> Events:
        """The events behind number `after` with their numbers, as they come, and a Heartbeat after each silence.

        A heartbeat has the number of the event before it: 0 ahead of the first one.
        """
        wakeup = _Wakeup(self._heartbeat_seconds)
        self._readers.add(wakeup)
        position = after
        try:
            while True:
                while position < len(self._events):
                    position += 1
                    yield position, self._events[position - 1]
                if self._closed:
                    break
                if not await wakeup.wait():
                    yield position, HEARTBEAT
        finally:
            self._readers.discard(wakeup)
            wakeup.cancel()
            if not self._readers and not self._closed:
                self._on_abandoned()
        if self._failure is not None:
            raise self._failure
        self.check_reached(after)

    def check_reached(self, number: int) -> None:
        """REQUEST_INVALID if there has not been an event of this number."""
        last = len(self._events)
        if number > last:
            raise invalid_request("after_sequence", f"must be at most {last}, the number of the answer's last event")

    async def whole(self) -> None:
        """Returns once the journal is closed; JournalLostError if events are missing."""
        async with aclosing(self.read(len(self._events))) as events:
            with suppress(AichatError):
                async for _ in events:
                    """Only the end counts."""

    def _wake(self) -> None:
        for reader in self._readers:
            reader.set()
        self._on_change()


def _nothing() -> None:
    """Nobody wants to know."""


class _Wakeup:
    """Lets one reader sleep until it is woken, or until it has slept for too long.

    One timer serves all of a reader's waits: it is moved when it fires too early, since setting one for each wait
    would cost more than the wait itself.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._future: asyncio.Future[bool] | None = None

    async def wait(self) -> bool:
        """True once it is woken, False after too long a sleep."""
        self._deadline = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        self._future = self._loop.create_future()
        try:
            return await self._future
        finally:
            self._future = None

    def set(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(True)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        if self._future is None or self._future.done():
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        else:
            self._future.set_result(False)
