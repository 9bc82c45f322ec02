"""Alembic's entry: runs the migrations on the connection that `aichat_server.storage.migrate` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS aichat"))
context.configure(connection=connection, version_table_schema="aichat")
with context.begin_transaction():
    context.run_migrations()
