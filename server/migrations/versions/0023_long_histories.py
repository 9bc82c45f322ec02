"""Conversations that are longer than a model's context: what an answer was not shown, and summaries that are shown."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_scripts(__file__, "tables")
