"""The table of jobs, for queries; server/migrations creates it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text, Uuid

from aichat_server.core.database.tables import Time, metadata

job_runs = Table(
    "job_runs",
    metadata,
    Column("job", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("runs", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("succeeded_at", Time),
    Column("outcome", Text),
    Column("failure", Text),
    Column("holder", Uuid),
    Column("held_until", Time),
    Column("reached", Uuid),
)
