"""A generation records the model that answered, and the one that was asked for where that is another."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE aichat.generations ADD COLUMN requested_model text")
    op.execute(
        "COMMENT ON COLUMN aichat.generations.requested_model IS "
        "'The model that was asked for, where a fallback answered; null where the model asked for did.'"
    )
    _replace_end_turn("0003/end_turn.sql")
    _run("0003/earlier_turn.sql")


def downgrade() -> None:
    _run("0003/downgrade.sql")
    _replace_end_turn("0001/end_turn.sql")
    op.execute("ALTER TABLE aichat.generations DROP COLUMN requested_model")


def _replace_end_turn(script: str) -> None:
    op.execute("DROP FUNCTION aichat.end_turn")
    _run(script)
    op.execute("REVOKE EXECUTE ON FUNCTION aichat.end_turn FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION aichat.end_turn TO aichat_app")


def _run(script: str) -> None:
    text = Path(__file__).parent.joinpath(script).read_text(encoding="utf-8")
    # Straight to the driver, as in 0001.
    op.get_bind().connection.run_async(lambda driver: driver.execute(text))
