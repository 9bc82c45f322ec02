"""Responses, and callers' own histories in conversations."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_scripts(__file__, "tables")
