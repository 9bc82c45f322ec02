"""What may be owed, and what Free may use: the tables behind both, and usage invoices that were not paid."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_scripts(__file__, "tables", "security")
