"""Alembic's entry: runs the migrations on the connection that `aichat_server.core.database.migrate` hands over."""

from __future__ import annotations

import sys

from aichat_server.core.database import scripts
from alembic import context
from sqlalchemy import text

# Revisions import the module that runs their scripts by the name that it had when they landed.
sys.modules["aichat_server.storage.scripts"] = scripts

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS aichat"))
context.configure(connection=connection, version_table_schema="aichat")
with context.begin_transaction():
    context.run_migrations()
