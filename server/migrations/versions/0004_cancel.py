"""Answers can be cancelled, and be found by their generation."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _run("cancel")


def downgrade() -> None:
    _run("downgrade")


def _run(name: str) -> None:
    script = Path(__file__).with_name(revision).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    op.get_bind().connection.run_async(lambda driver: driver.execute(script))
