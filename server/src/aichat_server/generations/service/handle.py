"""What the rest of the process holds of a generation, from before it begins until it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol
from uuid import UUID

from aichat_server.core.errors import AichatError
from aichat_server.generations.service import failures
from aichat_server.generations.service.journal import Events, Journal


class Why(Protocol):
    """Why an answer breaks off: the failure that its readers get."""

    def __call__(self, generation_id: UUID, names: failures.Names, /, *, words: bool) -> AichatError:
        """Returns the failure. `words`: whether any text of the answer had arrived."""
        ...


class Handle:
    """Reads a generation, cancels it and interrupts it, at any time. Its generation may not have begun yet."""

    def __init__(self, journal: Journal, announce_seconds: float) -> None:
        """`announce_seconds`: `started` is sent this long after now at the latest, so that readers hear something."""
        self.journal = journal
        self.announce_at = asyncio.get_running_loop().time() + announce_seconds
        self.broken_off: Why | None = None
        """Why the answer must end early; None: it need not."""
        self._reading: asyncio.Task[object] | None = None
        self._give_up_at: float | None = None
        self._patience: asyncio.Timeout | None = None

    def again(self) -> Events | None:
        """Returns the answer's events from the first; None if it broke off."""
        failure = self.journal.since(self.journal.position).failure
        return self.journal.read() if self.broken_off is None and failure is None else None

    def cancel(self) -> None:
        """Stops reading from the vendor: the answer ends as cancelled. One that has been read to its end does not."""
        self._break_off(failures.cancelled)

    def interrupt(self, give_up_at: float) -> None:
        """Stops reading from the vendor: the answer ends as interrupted. One that has been read to its end does not.

        What is not stored by `give_up_at`, by the event loop's clock, is given up: the process ends then.
        """
        self._give_up_at = give_up_at
        if self._patience is not None:
            self._patience.reschedule(give_up_at)
        self._break_off(failures.interrupted)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While it lasts, breaking off cancels the task that calls."""
        self._reading = asyncio.current_task()
        try:
            yield
        finally:
            self._reading = None

    @asynccontextmanager
    async def patience(self) -> AsyncGenerator[None, None]:
        """While it lasts, TimeoutError is raised when the process gives up."""
        try:
            async with asyncio.timeout_at(self._give_up_at) as self._patience:
                yield
        finally:
            self._patience = None

    def _break_off(self, why: Why) -> None:
        if self.broken_off is None:
            self.broken_off = why
            if self._reading is not None:
                self._reading.cancel()
