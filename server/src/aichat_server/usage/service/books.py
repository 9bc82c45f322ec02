"""Adds the ledger's partitions, one for each month."""

from __future__ import annotations

from aichat_server.core.database.database import Database
from aichat_server.usage.storage import rollups


async def extend_books(database: Database) -> int:
    """Makes room in the ledger for this month and the next three; returns how many partitions that took."""
    async with database.platform_session() as session:
        return await rollups.extend_books(session)
