"""The two ends of a turn, one call each, and the leases in between."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_scripts(__file__, "reading", "begin_turn", "renew_leases", "end_turn", "rights")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
