"""What tables are made of. Each feature has its own in its storage; server/migrations makes them."""

from __future__ import annotations

from sqlalchemy import DateTime, MetaData

metadata = MetaData(schema="aichat")
"""Every table that queries are written against."""

Time = DateTime(timezone=True)
"""The type of moments."""
