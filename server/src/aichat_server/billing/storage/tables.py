"""The tables of plans and billing, for queries; server/migrations creates them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from aichat_server.core.database.tables import metadata

_Time = DateTime(timezone=True)

plans = Table(
    "plans",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("valid_from", _Time, primary_key=True),
    Column("name", Text, nullable=False),
    Column("lookup_key", Text),
    Column("seat_nano_usd", BigInteger, nullable=False),
    Column("most_seats", Integer),
    Column("included_nano_usd", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("overage_basis_points", Integer, nullable=False),
    Column("caller_requests", Integer, nullable=False),
    Column("caller_tokens", Integer, nullable=False),
    Column("caller_streams", Integer, nullable=False),
    Column("organization_requests", Integer, nullable=False),
    Column("organization_tokens", Integer, nullable=False),
    Column("organization_streams", Integer, nullable=False),
    Column("models", ARRAY(Text)),
    Column("retention_days", Integer),
    Column("trial_days", Integer, nullable=False),
    Column("created_at", _Time, nullable=False),
    Column("overage_cap_nano_usd", BigInteger),
)

billing_accounts = Table(
    "billing_accounts",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("customer_id", Text),
    Column("customer_version", Integer, nullable=False),
    Column("seen_version", BigInteger, nullable=False),
    Column("grace_ends_at", _Time),
    Column("first_subscribed_at", _Time),
    Column("created_at", _Time, nullable=False),
    Column("seen_card_id", Text),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("seats", Integer, nullable=False),
    Column("period_start", _Time, nullable=False),
    Column("period_end", _Time, nullable=False),
    Column("cancel_at_period_end", Boolean, nullable=False),
    Column("trial_end", _Time),
    Column("past_due_since", _Time),
    Column("updated_at", _Time, nullable=False),
)

stripe_events = Table(
    "stripe_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("received_at", _Time, nullable=False),
    Column("due_at", _Time),
    Column("attempts", Integer, nullable=False),
    Column("processed_at", _Time),
    Column("parked_at", _Time),
    Column("failure", Text),
)
