"""A connection to Postgres that does not wait for a vanished peer."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    _DriverConnection = asyncpg.Connection[asyncpg.Record]
else:
    _DriverConnection = asyncpg.Connection

IDLE_SECONDS = 1.0
"""A connection that was silent for longer is checked before it is used."""
PING_SECONDS = 2.5
"""The longest that this check may take; it leaves a call time for another connection."""

# The kernel also detects a vanished peer, within about ten seconds, even on an idle connection.
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)


_BROKEN = (OSError, RuntimeError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Trust:
    """What a process has learned from one of its connections about all the others."""

    def __init__(self) -> None:
        self.doubted_at = -math.inf
        self.discarded_at = -math.inf

    def doubt(self) -> None:
        """Requires a check of all current connections before their next use, because one did not answer."""
        self.doubted_at = _now()

    def discard(self) -> None:
        """Discards all current connections, because one did not even answer its check."""
        self.discarded_at = _now()


class Connection(_DriverConnection):
    """A connection that closes without waiting for its peer, which may have vanished."""

    trust: Trust

    def __init__(self, protocol: Any, transport: asyncio.Transport, *arguments: Any) -> None:
        super().__init__(protocol, transport, *arguments)
        self.heard_at = self._made_at = _now()
        """By the loop's clock."""
        peer = transport.get_extra_info("socket")
        if peer.family != socket.AF_UNIX:
            for option in _SOCKET_OPTIONS:
                peer.setsockopt(*option)

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ARG002 — there is nothing to wait for
        """Closes it at once."""
        self.terminate()

    def heard(self) -> None:
        """Records that it has just answered."""
        self.heard_at = _now()

    def lose(self) -> None:
        """Closes it, because it did not answer."""
        self.trust.doubt()
        self.terminate()

    async def is_sound(self) -> bool:
        """Whether it can be used; checks it, unless it has just answered, and closes it if it fails."""
        sound = False
        try:
            sound = not self.is_closed() and await self._is_alive()
        finally:
            if not sound:
                self.terminate()
        return sound

    async def _is_alive(self) -> bool:
        is_new = self.heard_at == self._made_at
        if self._made_at <= self.trust.discarded_at and not is_new:
            return False
        if self.heard_at > max(_now() - IDLE_SECONDS, self.trust.doubted_at):
            return True
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self.execute("SELECT 1")
        except TimeoutError:
            self.trust.discard()
            return False
        except _BROKEN:
            return False
        self.heard()
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
