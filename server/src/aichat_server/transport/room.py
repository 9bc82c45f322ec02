"""Bounds the memory that large requests take, in all calls of a process together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aichat_server.core.errors import AichatError, Reason

MOST_BYTES = 256 * 1024 * 1024
_RETRY_SECONDS = 1.0


class Room:
    """The bytes of large requests that a process holds now."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most

    def take(self, size: int) -> None:
        """Counts bytes that a call holds from now on; raises SERVER_UNAVAILABLE if there would be too many."""
        if size > self._left:
            message = "the server holds as many large requests as it has memory for; repeat the call"
            raise AichatError(Reason.SERVER_UNAVAILABLE, message, retry_after=_RETRY_SECONDS)
        self._left -= size

    def give_back(self, size: int) -> None:
        """Counts bytes that were freed."""
        self._left += size

    @contextmanager
    def growing(self) -> Iterator[Taken]:
        """Counts bytes that are freed at the end of the context."""
        taken = Taken(self)
        try:
            yield taken
        finally:
            self.give_back(taken.size)


class Taken:
    """Some of the bytes, which become more."""

    def __init__(self, room: Room) -> None:
        self.size = 0
        self._room = room

    def grow(self, size: int) -> None:
        """Takes that many more bytes; raises SERVER_UNAVAILABLE if there would be too many."""
        self._room.take(size)
        self.size += size
