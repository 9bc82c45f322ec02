"""The tables of invoices, for queries."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata
from aichat_server.models.domain.usage import TOKEN_COLUMNS

invoices = Table(
    "invoices",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("period_start", Time, primary_key=True),
    Column("period_end", Time, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("digest", Text),
    Column("cost_nano_usd", BigInteger),
    Column("total_cents", BigInteger),
    Column("customer_id", Text),
    Column("stripe_invoice_id", Text),
    Column("number", Text),
    Column("blocked_because", Text),
    Column("updated_at", Time, nullable=False),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("period_start", Time, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
    Column("included_nano_usd", BigInteger, nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    Column("plan", Text),
    Column("plan_version", Time),
    Column("overage_basis_points", Integer),
    Column("provider", Text),
    Column("model", Text),
    Column("price_version", Time),
    Column("member_id", Uuid),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS.values()),
    Column("estimated", Boolean, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("first_at", Time),
    Column("first_generation_id", Uuid),
    Column("last_at", Time),
    Column("last_generation_id", Uuid),
    Column("hash", Text, nullable=False),
    Column("adjustment_id", Uuid),
)

adjustments = Table(
    "adjustments",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("adjustment_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("amount_nano_usd", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("period_start", Time),
    Column("created_at", Time, nullable=False),
)

refunds = Table(
    "refunds",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("adjustment_id", Uuid, primary_key=True),
    Column("refund_id", Text, nullable=False),
)
