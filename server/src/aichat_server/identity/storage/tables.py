"""The tables of organisations, members and API keys."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata

organizations = Table(
    "organizations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("plan", Text, nullable=False),
    Column("contact_email", Text),
    Column("time_zone", Text, nullable=False),
)

listed_organizations = Table(
    "listed_organizations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("created_at", Time, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("email", Text),
    Column("created_at", Time, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("member_id", Uuid, primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", Time, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("key_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time),
    Column("revoked_at", Time),
    Column("role", Text, nullable=False),
)
