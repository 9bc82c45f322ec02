"""Organisations are listed for jobs by ids and times alone."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_scripts(__file__, "tables")
