"""The two ends of a turn, one call each, and the leases in between."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name in ("reading", "begin_turn", "renew_leases", "end_turn", "rights"):
        _run(name)


def downgrade() -> None:
    _run("downgrade")


def _run(name: str) -> None:
    script = Path(__file__).with_name(revision).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    # Straight to the driver: it takes a script of many statements, and sees no parameter in `::`.
    op.get_bind().connection.run_async(lambda driver: driver.execute(script))
