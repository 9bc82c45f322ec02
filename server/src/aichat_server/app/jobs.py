"""The jobs' use cases, put together for whoever runs them."""

from __future__ import annotations

from aichat_server.services.rollups import Rollups
from aichat_server.storage.database import Database


def build_rollups(database: Database) -> Rollups:
    """Sums usage up by the hour."""
    return Rollups(database)
