"""The plans, put together from the settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aichat_server.app.background import running
from aichat_server.services.plans import PlanBook
from aichat_server.storage.database import Database


@asynccontextmanager
async def open_plan_book(database: Database, refresh_seconds: float) -> AsyncGenerator[PlanBook, None]:
    """The plans, read again and again."""
    book = PlanBook(database)
    await book.refresh()
    async with running(book.keep_fresh(refresh_seconds)):
        yield book
