"""Opens the database's clock, for long-running processes and for commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aichat_server.app.background import running
from aichat_server.core.clock import Clock
from aichat_server.core.database.database import Database
from aichat_server.core.observing import ProcessObserver


@asynccontextmanager
async def open_clock(database: Database, observer: ProcessObserver) -> AsyncGenerator[Clock, None]:
    """Opens the clock, and reads it at regular intervals."""
    clock = Clock(database, observer)
    await clock.read()
    async with running(observer, clock=clock.keep_reading):
        yield clock
