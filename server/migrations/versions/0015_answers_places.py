"""Answers have their place in the conversation from their beginning on."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_scripts(__file__, "tables")
