"""The tables of jobs, for queries; server/migrations creates them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Integer, Table, Text, Uuid

from aichat_server.core.database.tables import metadata

_Time = DateTime(timezone=True)

job_runs = Table(
    "job_runs",
    metadata,
    Column("job", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("runs", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("started_at", _Time, nullable=False),
    Column("ended_at", _Time),
    Column("succeeded_at", _Time),
    Column("outcome", Text),
    Column("failure", Text),
    Column("holder", Uuid),
    Column("held_until", _Time),
    Column("reached", Uuid),
)

outbox = Table(
    "outbox",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("due_at", _Time, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("noted_at", _Time, nullable=False),
)
