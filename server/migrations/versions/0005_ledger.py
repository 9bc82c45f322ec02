"""Prices, the books, quotas and holds; turns that hold what they may cost, and book what they did."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

_GRANTS = """
REVOKE EXECUTE ON FUNCTION aichat.begin_turn, aichat.end_turn FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aichat.begin_turn, aichat.end_turn TO aichat_app;
"""


def upgrade() -> None:
    for name in ("tables", "ledger", "begin_turn", "end_turn", "security"):
        _run(_read(revision, name))


def downgrade() -> None:
    _run(_read(revision, "downgrade"))
    # The turns as they were before.
    begin_turn = _read("0001", "begin_turn")
    _run(begin_turn[begin_turn.index("CREATE FUNCTION aichat.begin_turn") :])
    _run(_read("0003", "end_turn"))
    _run(_GRANTS)


def _read(of: str, name: str) -> str:
    return Path(__file__).with_name(of).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _run(script: str) -> None:
    # Straight to the driver: it takes a script of many statements, and sees no parameter in `::`.
    op.get_bind().connection.run_async(lambda driver: driver.execute(script))
