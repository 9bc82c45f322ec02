"""Reads many answers at one tick: their bytes gather in the kernel, and one wake-up serves them all.

Vendors send dozens of deltas a second, and waking up for each costs more than all that is done with it. So a connection
is held once its answer has begun: until the next tick the kernel does not report what arrives. It reports the end of a
connection, its failure, and more bytes than deltas have, at once.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time

# Other systems have the option, but may not apply a change to it: bytes that have arrived might wait forever.
_CAN_HOLD = sys.platform == "linux"
# Deltas of one window are smaller; what is larger need not wait, since each wake-up reads much.
_HELD_BYTES = 16 * 1024
# Nobody sees 20 ms; 50 ms are the widest window where nothing else is set.
_NARROWEST = 0.4
# The share of a core from which on windows are widest: wide windows leave room before the core is full.
_BUSY = 0.125
_SMOOTHED_SECONDS = 0.5


class Window:
    """How long bytes gather: the busier the process, the longer, up to the widest window."""

    def __init__(self, widest_seconds: float) -> None:
        """The narrowest is two fifths of it."""
        self._widest = widest_seconds
        self._load = 0.0
        self._seen: tuple[float, float] | None = None

    def seconds(self, now: float, cpu: float) -> float:
        """Returns the window from `now` on; `cpu`: the seconds of CPU that the process has used by then."""
        seen, self._seen = self._seen, (now, cpu)
        if seen is not None and now > seen[0]:
            elapsed = now - seen[0]
            weight = min(1.0, elapsed / _SMOOTHED_SECONDS)
            self._load += weight * ((cpu - seen[1]) / elapsed - self._load)
        width = _NARROWEST + (1 - _NARROWEST) * min(1.0, max(0.0, self._load / _BUSY))
        return self._widest * width


class Tick:
    """The tick of one event loop. What is held is released at the next tick, or by `release`."""

    def __init__(self, widest_seconds: float) -> None:
        """The time from one tick to the next is `widest_seconds` at most; with 0 nothing is ever held."""
        self._holds = _CAN_HOLD and widest_seconds > 0
        self._window = Window(widest_seconds)
        self._held: set[asyncio.BaseTransport] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def hold(self, transport: asyncio.BaseTransport) -> None:
        """Lets what arrives wait for the next tick."""
        if not self._holds or not _report_from(transport, _HELD_BYTES):
            return
        self._held.add(transport)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._next, loop.time()), self._tick, loop)

    def release(self, transport: asyncio.BaseTransport) -> None:
        """Lets what has arrived, and what arrives, be read at once."""
        if transport in self._held:
            self._held.discard(transport)
            _report_from(transport, 1)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        self._next = now + self._window.seconds(now, time.process_time())
        held, self._held = self._held, set()
        for transport in held:
            _report_from(transport, 1)


def report_at_once(transport: asyncio.BaseTransport) -> None:
    """Undoes the settings of any earlier holder of the connection."""
    if _CAN_HOLD:
        _report_from(transport, 1)


def _report_from(transport: asyncio.BaseTransport, size: int) -> bool:
    """Has the kernel report bytes once there are `size` of them; False if the connection is closed."""
    # The number of a closed socket may be another one's already.
    connection = None if transport.is_closing() else transport.get_extra_info("socket")
    if connection is None:
        return False
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    except (OSError, ValueError):
        # It was closed just now: uvloop's sockets say that by a ValueError.
        return False
    return True
