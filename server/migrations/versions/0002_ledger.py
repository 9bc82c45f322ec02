"""Prices, the books, plans, quotas and holds."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_scripts(__file__, "tables", "security", "months", "plans", "quotas", "book")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
