"""The time that all processes share: the database's.

What deletes, expires, charges, closes books or sends e-mails goes by it, and by no machine's own clock. Ages and waits
are measured by monotonic clocks, which nobody sets. Those stand still while a machine sleeps, so that what it remembers
grows no older meanwhile; it serves nobody then, and the database is asked again within seconds of its waking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

import structlog

from aichat_server.core.clock_skew import MOST_SKEW_SECONDS, ClockWrongError, tell_skew
from aichat_server.core.errors import AichatError
from aichat_server.core.observing import ProcessObserver

_log = structlog.get_logger()

READ_SECONDS = 15.0
"""How often the database is asked."""


class TimeSource(Protocol):
    """Whose time all share."""

    async def now(self) -> datetime:
        """The time; STORAGE_UNAVAILABLE."""
        ...


class Clock:
    """The database's time, and how far this machine's own clock is from it."""

    def __init__(
        self,
        source: TimeSource,
        observer: ProcessObserver,
        *,
        own: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """To be read before it is asked. `own` tells this machine's Unix seconds, `steady` monotonic ones."""
        self._source = source
        self._observer = observer
        self._own = own
        self._steady = steady
        self._last: tuple[datetime, float] | None = None
        self.skew = 0.0
        """By how many seconds this machine's clock is ahead of the database's."""

    @property
    def is_wrong(self) -> bool:
        """Whether that is too much."""
        return abs(self.skew) > MOST_SKEW_SECONDS

    def now(self) -> datetime:
        """The database's time, from when it was last read; a clock that is set meanwhile does not change it."""
        if self._last is None:
            raise LookupError("the database's clock was not read yet")
        then, at = self._last
        return then + timedelta(seconds=self._steady() - at)

    async def read(self) -> datetime:
        """Asks the database for its time, and tells the observer of the skew; STORAGE_UNAVAILABLE."""
        asked, own = self._steady(), self._own()
        found = await self._source.now()
        # The database looked at its clock somewhere in between.
        half = (self._steady() - asked) / 2
        self._last = (found, asked + half)
        self.skew = own + half - found.timestamp()
        self._observer.clock_seen(self.skew)
        if self.is_wrong:
            _log.error("this machine's clock is wrong, or the database's is", ahead_seconds=round(self.skew))
        return found

    async def agreed(self) -> datetime:
        """The database's time now; ClockWrongError if this machine's clock is far from it. STORAGE_UNAVAILABLE."""
        found = await self.read()
        if self.is_wrong:
            raise ClockWrongError(f"{tell_skew(self.skew)}: set it right; nothing that goes by time is done until then")
        return found

    async def keep_reading(self) -> NoReturn:
        """Asks the database again and again."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            try:
                await self.read()
            except AichatError as error:
                _log.warning("clocks not compared", reason=error.reason)
