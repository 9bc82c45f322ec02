"""Generations know no conversation: turns say which message each answers, and requests which generations they began."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_scripts(__file__, "tables")
