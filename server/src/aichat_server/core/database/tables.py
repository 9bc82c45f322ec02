"""The tables that queries are written against; server/migrations makes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from aichat_server.models.domain.usage import KINDS

metadata = MetaData(schema="aichat")

_Time = DateTime(timezone=True)

TOKEN_COLUMNS: Mapping[str, str] = MappingProxyType({kind.name: kind.column for kind in KINDS})
"""The columns of a usage, by its field."""

organizations = Table(
    "organizations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("plan", Text, nullable=False),
    Column("contact_email", Text),
    Column("time_zone", Text, nullable=False),
)

listed_organizations = Table(
    "listed_organizations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("created_at", _Time, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("email", Text),
    Column("created_at", _Time, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("member_id", Uuid, primary_key=True),
    Column("role", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("key_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("expires_at", _Time),
    Column("revoked_at", _Time),
    Column("role", Text, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("conversation_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("updated_at", _Time, nullable=False),
    Column("head_message_id", Uuid),
)

messages = Table(
    "messages",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("conversation_id", Uuid, nullable=False),
    Column("parent_message_id", Uuid),
    Column("member_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    Column("parts", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("running", Boolean, nullable=False),
    Column("generation_id", Uuid),
    Column("created_at", _Time, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("generation_id", Uuid, primary_key=True),
    Column("model", Text, nullable=False),
    Column("stop_reason", Text),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS.values()),
    Column("usage_estimated", Boolean, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
)
"""The columns that an answer shows; the database's turn functions write the rest."""

prices = Table(
    "prices",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("valid_from", _Time, primary_key=True),
    Column("above_tokens", BigInteger, primary_key=True),
    *(Column(kind.price, BigInteger, nullable=False) for kind in KINDS if kind.price is not None),
)

quotas = Table(
    "quotas",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("scope_id", Uuid, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("hard_nano_usd", BigInteger),
    Column("soft_nano_usd", BigInteger),
    Column("updated_at", _Time, nullable=False),
)

quota_usage = Table(
    "quota_usage",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("scope_id", Uuid, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("period_start", _Time, primary_key=True),
    Column("charged_nano_usd", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("generation_id", Uuid, primary_key=True),
    Column("expires_at", _Time, nullable=False),
)

quota_warnings = Table(
    "quota_warnings",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("warning_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("scope_id", Uuid, nullable=False),
    Column("period", Text, nullable=False),
    Column("period_start", _Time, nullable=False),
    Column("period_end", _Time, nullable=False),
    Column("threshold", SmallInteger, nullable=False),
    Column("limit_nano_usd", BigInteger, nullable=False),
    Column("refuses", Boolean, nullable=False),
    Column("used_nano_usd", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("noted_at", _Time, nullable=False),
    Column("claimed_until", _Time),
    Column("settled_at", _Time),
)

notification_settings = Table(
    "notification_settings",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("member_id", Uuid, primary_key=True),
    Column("quota_warnings", Boolean, nullable=False),
    Column("updated_at", _Time, nullable=False),
)

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
    Column("price_version", _Time, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS.values()),
    Column("quality", Text, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("error_reason", Text),
    Column("first_delta_ms", Integer),
    Column("duration_ms", Integer, nullable=False),
    Column("occurred_at", _Time, nullable=False),
)
