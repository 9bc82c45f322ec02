"""Makes sure that a process ends."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import structlog

_log = structlog.get_logger()

LAST_SECONDS = 5.0
"""The time after its drain to store, report and close; an orchestrator must wait longer before it kills the process."""


def stop_within(seconds: float) -> tuple[asyncio.Event, Callable[[], None]]:
    """Returns an event that SIGTERM and SIGINT set, and a function with the same effect.

    From then on the process has `seconds`, and LAST_SECONDS more.
    """
    stopping = asyncio.Event()

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            exit_by_force(seconds + LAST_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping, stop


def exit_by_force(after_seconds: float) -> None:
    """Ends this process after `after_seconds`, unless it has ended by then, whatever hangs or is unreachable.

    A thread does it, since the event loop may be what hangs.
    """
    timer = threading.Timer(after_seconds, _exit, (after_seconds,))
    timer.daemon = True
    timer.start()


def _exit(seconds: float) -> None:
    _log.error("the process did not end in time, and is ended by force", seconds=seconds)
    # No handler and no destructor may delay it again.
    os._exit(1)
