"""`organizations`: sets an organisation's contact and time zone."""

from __future__ import annotations

import argparse
import asyncio
import sys
from uuid import UUID

from aichat_server.app.database import connect_database
from aichat_server.identity.service.organizations import Organizations
from aichat_server.settings import Settings


def set_contact(settings: Settings, options: argparse.Namespace) -> int:
    """Sets or removes an organisation's contact."""
    return _done(asyncio.run(_set_contact(settings, options.organization_id, options.email)))


def set_time_zone(settings: Settings, options: argparse.Namespace) -> int:
    """Sets the time zone whose days an organisation's usage is shown by."""
    try:
        return _done(asyncio.run(_set_time_zone(settings, options.organization_id, options.zone)))
    except ValueError as error:
        sys.stderr.write(f"{options.zone} {error}\n")
        return 1


def _done(done: bool) -> int:
    if not done:
        sys.stderr.write("the organisation does not exist\n")
    return 0 if done else 1


async def _set_contact(settings: Settings, organization_id: UUID, email: str | None) -> bool:
    async with connect_database(settings) as database:
        return await Organizations(database).set_contact(organization_id, email)


async def _set_time_zone(settings: Settings, organization_id: UUID, name: str) -> bool:
    async with connect_database(settings) as database:
        return await Organizations(database).set_time_zone(organization_id, name)
