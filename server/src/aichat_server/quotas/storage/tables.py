"""The tables of quotas."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata

quotas = Table(
    "quotas",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("scope_id", Uuid, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("hard_nano_usd", BigInteger),
    Column("soft_nano_usd", BigInteger),
    Column("updated_at", Time, nullable=False),
)

quota_usage = Table(
    "quota_usage",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("scope_id", Uuid, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("period_start", Time, primary_key=True),
    Column("charged_nano_usd", BigInteger, nullable=False),
)
