"""Organisations, users, API keys, conversations, messages and generations; their row-level security."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_scripts(__file__, "tables", "security")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
