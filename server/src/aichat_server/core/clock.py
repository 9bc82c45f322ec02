"""The time that all processes share: the database's.

Deletions, expiry, charges, month ends and e-mails depend on it, and on no machine's own clock. Ages and delays use
monotonic clocks, which nobody sets. Those stop while a machine sleeps, so what it caches does not age in that time; it
serves nobody then, and reads the database's time within seconds after waking.
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
"""How often the database's time is read."""


class TimeSource(Protocol):
    """The source of the shared time."""

    async def now(self) -> datetime:
        """Returns the time; raises STORAGE_UNAVAILABLE."""
        ...


class Clock:
    """The database's time, and the difference of this machine's own clock."""

    def __init__(
        self,
        source: TimeSource,
        observer: ProcessObserver,
        *,
        own: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read it before use. `own` returns this machine's Unix seconds, `steady` monotonic ones."""
        self._source = source
        self._observer = observer
        self._own = own
        self._steady = steady
        self._last: tuple[datetime, float] | None = None
        self.skew = 0.0
        """By how many seconds this machine's clock is ahead of the database's."""

    @property
    def is_wrong(self) -> bool:
        """Whether the difference is too large."""
        return abs(self.skew) > MOST_SKEW_SECONDS

    def now(self) -> datetime:
        """Returns the database's time, computed from the last reading.

        Setting the machine's clock does not change it.
        """
        if self._last is None:
            raise LookupError("the database's clock was not read yet")
        then, at = self._last
        return then + timedelta(seconds=self._steady() - at)

    async def read(self) -> datetime:
        """Reads the database's time and reports the skew to the observer; raises STORAGE_UNAVAILABLE."""
        asked, own = self._steady(), self._own()
        found = await self._source.now()
        # The database read its clock at some moment between.
        half = (self._steady() - asked) / 2
        self._last = (found, asked + half)
        self.skew = own + half - found.timestamp()
        self._observer.clock_seen(self.skew)
        if self.is_wrong:
            _log.error("this machine's clock is wrong, or the database's is", ahead_seconds=round(self.skew))
        return found

    async def agreed(self) -> datetime:
        """Returns the database's time now; raises ClockWrongError if this machine's clock differs too much.

        Raises STORAGE_UNAVAILABLE if the database is unreachable.
        """
        found = await self.read()
        if self.is_wrong:
            raise ClockWrongError(f"{tell_skew(self.skew)}: correct it; scheduled work waits until then")
        return found

    async def keep_reading(self) -> NoReturn:
        """Reads the database's time at regular intervals."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            try:
                await self.read()
            except AichatError as error:
                _log.warning("clocks not compared", reason=error.reason)
