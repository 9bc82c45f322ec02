"""`prices`: updates the database's prices."""

from __future__ import annotations

import argparse
import asyncio
import sys

from aichat_server.app.catalogue import build_prices
from aichat_server.commands.owner import owner_url
from aichat_server.models.service import add_prices
from aichat_server.settings import Settings


def sync(settings: Settings, _options: argparse.Namespace) -> int:
    """Adds the prices that changed, as the schema's owner; changes no existing one."""
    added = asyncio.run(add_prices(owner_url(settings), build_prices(settings)))
    sys.stdout.write(f"prices added: {added}\n")
    return 0
