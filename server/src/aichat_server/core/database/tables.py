"""The base of tables. Each feature has its own in its storage; server/migrations creates them."""

from __future__ import annotations

from sqlalchemy import DateTime, MetaData

metadata = MetaData(schema="aichat")
"""Every table that queries use."""

Time = DateTime(timezone=True)
"""The type of times."""
