"""`usage`: compares hourly sums with the ledger."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime

from aichat_server.app.database import connect_database
from aichat_server.core.clock import Clock
from aichat_server.core.observing import ProcessObserver
from aichat_server.settings import Settings
from aichat_server.usage.service.rollups import Rollups

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def verify(settings: Settings, options: argparse.Namespace) -> int:
    """Prints the hours whose sums differ from the ledger; returns 1 if there are any."""
    wrong = asyncio.run(_verify(settings, options))
    for hour in wrong:
        sys.stdout.write(f"{hour.astimezone(UTC):%Y-%m-%dT%H:%MZ} differs from the ledger\n")
    return 1 if wrong else 0


def rebuild(settings: Settings, options: argparse.Namespace) -> int:
    """Sums every hour from the ledger again."""
    sys.stdout.write(f"{asyncio.run(_rebuild(settings, options))} hours summed\n")
    return 0


async def _verify(settings: Settings, options: argparse.Namespace) -> tuple[datetime, ...]:
    async with connect_database(settings) as database:
        return await Rollups(database).mismatches(options.organization_id, _BEGINNING, await database.now())


async def _rebuild(settings: Settings, options: argparse.Namespace) -> int:
    async with connect_database(settings) as database:
        now = await Clock(database, ProcessObserver()).agreed()
        return await Rollups(database).rebuild(now, options.organization_id)
