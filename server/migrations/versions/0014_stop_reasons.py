"""Answers that ended for a reason which has no name of its own."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_scripts(__file__, "tables")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
