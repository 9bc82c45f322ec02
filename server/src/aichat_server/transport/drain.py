"""Stops a server: it accepts no new calls, lets running ones finish, and then ends the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.call import Call

# By then the load balancer has seen NOT_SERVING, or has another replica for the call.
_RETRY_SECONDS = 1.0


class Drain:
    """Whether the server takes calls, and how many it is busy with."""

    def __init__(self) -> None:
        self._draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """Refuses every new call from now on."""
        self._draining = True

    async def admit(self, call: Call) -> None:  # noqa: ARG002 — all calls alike
        """Refuses the call with SERVER_DRAINING if the server is shutting down."""
        if self._draining:
            message = "the server is shutting down; send the call again, another replica takes it"
            raise AichatError(Reason.SERVER_DRAINING, message, retry_after=_RETRY_SECONDS)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts a call as running."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def idle(self, timeout: float) -> bool:
        """Waits until no call runs, `timeout` seconds at most; returns True if none does."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
