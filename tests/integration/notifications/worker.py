"""A worker as a process that tests can kill: `python worker.py MOMENT`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from aichat_server.app.database import connect_database
from aichat_server.app.jobs import build_quota_warnings
from aichat_server.settings import load_settings


async def main(now: datetime) -> None:
    settings = load_settings()
    async with connect_database(settings) as database:
        warnings = build_quota_warnings(settings, database)
        assert warnings is not None
        await warnings.run(now)


if __name__ == "__main__":
    asyncio.run(main(datetime.fromisoformat(sys.argv[1])))
