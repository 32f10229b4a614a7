"""Proofs as they were first handed out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_books_002"
down_revision = "ecopoints_books_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "eco_proofs",
        sa.Column("about", sa.String(length=160), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("about"),
    )
