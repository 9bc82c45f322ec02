"""Generations, failures and quotas' past periods are not kept for ever."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_scripts(__file__, "tables")
