"""Accounts, subscriptions and events of the payment provider."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0009"
down_revision = "0007"


def upgrade() -> None:
    run_scripts(__file__, "tables", "security")


def downgrade() -> None:
    run_scripts(__file__, "downgrade")
