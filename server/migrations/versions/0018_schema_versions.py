"""The database tells which versions of the server it is for."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_scripts(__file__, "tables")
