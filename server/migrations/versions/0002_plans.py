"""The plan that an organisation is on."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE aichat.organizations ADD COLUMN plan text NOT NULL DEFAULT 'free' "
        "CHECK (plan IN ('free', 'pro', 'team'))"
    )
    op.execute("GRANT UPDATE (plan) ON aichat.organizations TO aichat_app")


def downgrade() -> None:
    op.execute("ALTER TABLE aichat.organizations DROP COLUMN plan")
