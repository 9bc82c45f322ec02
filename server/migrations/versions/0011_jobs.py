"""The record of the jobs' runs."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_scripts(__file__, "tables", "security")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
