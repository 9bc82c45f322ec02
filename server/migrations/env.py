"""Alembic's entry: runs the migrations on the connection that `aichat_server.storage.migrate` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# Two processes that start at once migrate one after the other; the lock ends with the transaction.
connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('aichat.migrations'))"))
connection.execute(text("CREATE SCHEMA IF NOT EXISTS aichat"))
context.configure(connection=connection, version_table_schema="aichat")
with context.begin_transaction():
    context.run_migrations()
