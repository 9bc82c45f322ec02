"""Answers that are kept for retries, and for nothing else."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_scripts(__file__, "tables")
