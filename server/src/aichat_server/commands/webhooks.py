"""`webhooks`: events from the payment provider that could not be processed."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from aichat_server.app.database import connect_database
from aichat_server.billing.service.webhooks import ParkedWebhooks
from aichat_server.payments.domain.webhooks import ParkedEvent
from aichat_server.settings import Settings


def parked(settings: Settings, _options: argparse.Namespace) -> int:
    """Prints the events that were given up."""
    for event in asyncio.run(_list(settings)):
        at = event.parked_at.isoformat(timespec="seconds")
        sys.stdout.write(f"{event.event_id} {event.type} {event.object_id} given up {at}: {event.failure}\n")
    return 0


def retry(settings: Settings, options: argparse.Namespace) -> int:
    """Retries one."""
    if not asyncio.run(_release(settings, options.event_id)):
        sys.stderr.write("no event with this id was given up\n")
        return 1
    return 0


async def _list(settings: Settings) -> Sequence[ParkedEvent]:
    async with connect_database(settings) as database:
        return await ParkedWebhooks(database).list()


async def _release(settings: Settings, event_id: str) -> bool:
    async with connect_database(settings) as database:
        return await ParkedWebhooks(database).release(event_id)
