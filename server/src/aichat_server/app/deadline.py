"""The last word on when a process ends."""

from __future__ import annotations

import os
import threading

import structlog

_log = structlog.get_logger()

LAST_SECONDS = 12.0
"""After its drain a process has so long to store, to tell and to close; whoever kills it from outside waits longer."""


def exit_by_force(after_seconds: float) -> None:
    """Ends this process in so many seconds, unless it has ended by then: whatever hangs, and whatever is away.

    A thread does it, since the event loop may be what hangs.
    """
    timer = threading.Timer(after_seconds, _exit, (after_seconds,))
    timer.daemon = True
    timer.start()


def _exit(seconds: float) -> None:
    _log.error("the process did not end in time, and is ended by force", seconds=seconds)
    # No handler and no destructor may hold it up again.
    os._exit(1)
