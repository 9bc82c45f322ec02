"""The table of the ledger."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata
from aichat_server.models.domain.usage import TOKEN_COLUMNS

usage_events = Table(
    "usage_events",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("generation_id", Uuid, primary_key=True),
    Column("conversation_id", Uuid),
    Column("member_id", Uuid, nullable=False),
    Column("key_id", Uuid),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("price_version", Time, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS.values()),
    Column("quality", Text, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("error_reason", Text),
    Column("first_delta_ms", Integer),
    Column("duration_ms", Integer, nullable=False),
    Column("occurred_at", Time, nullable=False),
)
