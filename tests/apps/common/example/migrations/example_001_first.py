"""The example's table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "example_001"
down_revision = None
branch_labels = ("example",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "things",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("chain_id", sa.String(60), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("things")
