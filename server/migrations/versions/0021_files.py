"""Organisations have files, and messages use them."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_scripts(__file__, "tables")
