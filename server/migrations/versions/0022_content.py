"""Messages hold more than text: tool calls and their results, images, documents, reasoning, vendors' own items."""

from __future__ import annotations

from aichat_server.core.database.scripts import run_scripts

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_scripts(__file__, "tables")
