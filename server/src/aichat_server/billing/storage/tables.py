"""The tables of billing, for queries; server/migrations creates them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata

billing_accounts = Table(
    "billing_accounts",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("customer_id", Text),
    Column("customer_version", Integer, nullable=False),
    Column("seen_version", BigInteger, nullable=False),
    Column("grace_ends_at", Time),
    Column("first_subscribed_at", Time),
    Column("created_at", Time, nullable=False),
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
    Column("period_start", Time, nullable=False),
    Column("period_end", Time, nullable=False),
    Column("cancel_at_period_end", Boolean, nullable=False),
    Column("trial_end", Time),
    Column("past_due_since", Time),
    Column("updated_at", Time, nullable=False),
)

stripe_events = Table(
    "stripe_events",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("received_at", Time, nullable=False),
    Column("due_at", Time),
    Column("attempts", Integer, nullable=False),
    Column("processed_at", Time),
    Column("parked_at", Time),
    Column("failure", Text),
)
