"""Builds the plans from the settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from aichat_server.app.background import running
from aichat_server.core.clock import Clock
from aichat_server.core.database.database import Database
from aichat_server.core.observing import ProcessObserver
from aichat_server.plans.service import PlanBook, StoredPlans
from aichat_server.settings import Settings


@asynccontextmanager
async def open_plan_book(
    settings: Settings, database: Database, clock: Clock, observer: ProcessObserver
) -> AsyncGenerator[PlanBook, None]:
    """Opens the plans, and reads them at regular intervals; `clock` decides which terms are in force."""
    book = PlanBook(StoredPlans(database), clock.now)
    await book.refresh()
    async with running(observer, plans=partial(book.keep_fresh, settings.price_refresh_seconds)):
        yield book
