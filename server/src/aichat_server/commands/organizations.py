"""`organizations`: sets where their e-mails go."""

from __future__ import annotations

import argparse
import asyncio
import sys
from uuid import UUID

from aichat_server.app.database import connect_database
from aichat_server.services.organizations import Organizations
from aichat_server.settings import Settings


def set_contact(settings: Settings, options: argparse.Namespace) -> int:
    """Sets or removes an organisation's contact."""
    if not asyncio.run(_set_contact(settings, options.organization_id, options.email)):
        sys.stderr.write("there is no such organisation\n")
        return 1
    return 0


async def _set_contact(settings: Settings, organization_id: UUID, email: str | None) -> bool:
    async with connect_database(settings) as database:
        return await Organizations(database).set_contact(organization_id, email)
