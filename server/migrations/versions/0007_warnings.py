"""Quota warnings by e-mail, and who wants them."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    run_scripts(__file__, "tables")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
