"""The tables of notifications."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, SmallInteger, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata

quota_warnings = Table(
    "quota_warnings",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("warning_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", Uuid, nullable=False),
    Column("period", Text, nullable=False),
    Column("period_start", Time, nullable=False),
    Column("period_end", Time, nullable=False),
    Column("threshold", SmallInteger, nullable=False),
    Column("limit_nano_usd", BigInteger, nullable=False),
    Column("refuses", Boolean, nullable=False),
    Column("used_nano_usd", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("noted_at", Time, nullable=False),
    Column("claimed_until", Time),
    Column("settled_at", Time),
)

notification_settings = Table(
    "notification_settings",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("member_id", Uuid, primary_key=True),
    Column("quota_warnings", Boolean, nullable=False),
    Column("updated_at", Time, nullable=False),
)
