"""The events of an answer, for one reader, who may vanish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from aichat_server.compat.domain.readers import Left
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import StreamEvent
from aichat_server.generations.service.journal import Events


class Reading(AsyncGenerator[tuple[int, StreamEvent], None]):
    """Passes events on. The reader leaves once: at their end, at their failure, or when it is closed before.

    It is no generator: one that is closed before its first event would not notice.
    """

    def __init__(self, events: Events, leave: Callable[[Left | None], object]) -> None:
        """`leave` gets how the reader left whose answer waits for a retry; None if it has none."""
        self._events = events
        self._leave = leave
        self._has_left = False

    async def __anext__(self) -> tuple[int, StreamEvent]:
        try:
            return await self._events.__anext__()
        except BaseException as error:
            self._left(error)
            raise

    async def asend(self, _value: None) -> tuple[int, StreamEvent]:
        """Returns the next event."""
        return await self.__anext__()

    async def athrow(self, *error: Any) -> tuple[int, StreamEvent]:
        """Raises in the events."""
        return await self._events.athrow(*error)

    async def aclose(self) -> None:
        """Ends the reading."""
        self._left(GeneratorExit())
        await self._events.aclose()

    def _left(self, error: BaseException) -> None:
        if not self._has_left:
            self._has_left = True
            self._leave(_how(error))


def _how(error: BaseException) -> Left | None:
    match error:
        case StopAsyncIteration():
            return Left.WHOLE
        case asyncio.CancelledError() | GeneratorExit():
            return Left.VANISHED
        case AichatError(reason=Reason.SERVER_DRAINING):
            # Another replica may be writing the answer, and goes on.
            return Left.VANISHED
        case _:
            return None
