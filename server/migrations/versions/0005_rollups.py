"""Usage summed up by the hour."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    run_scripts(__file__, "tables", "reading", "roll_up", "mending", "rights")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
