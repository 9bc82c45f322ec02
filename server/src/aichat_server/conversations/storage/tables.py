"""The tables of conversations, and what an answer shows of the generation that wrote it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from aichat_server.core.database.tables import Time, metadata
from aichat_server.models.domain.usage import TOKEN_COLUMNS

conversations = Table(
    "conversations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("conversation_id", Uuid, primary_key=True),
    Column("member_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
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
    Column("content", JSONB),
    Column("media_tokens", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("running", Boolean, nullable=False),
    Column("generation_id", Uuid),
    Column("created_at", Time, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("generation_id", Uuid, primary_key=True),
    Column("model", Text, nullable=False),
    Column("stop_reason", Text),
    Column("calls_tools", Boolean, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in TOKEN_COLUMNS.values()),
    Column("usage_estimated", Boolean, nullable=False),
    Column("cost_nano_usd", BigInteger, nullable=False),
)
"""The columns that an answer shows. Functions of the database write the table."""
