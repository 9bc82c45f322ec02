"""What an API key may do at most."""

from __future__ import annotations

from aichat_server.storage.scripts import run_scripts

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_scripts(__file__, "tables")
