"""Jobs are held by their record, and go on where the last run ended."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_scripts(__file__, "tables")
