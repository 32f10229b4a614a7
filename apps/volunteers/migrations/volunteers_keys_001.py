"""The table of the volunteers' keys as it was first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "volunteers_keys_001"
down_revision = None
branch_labels = ("volunteers_keys",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "volunteer_keys",
        sa.Column("pseudonym", sa.String(length=40), nullable=False),
        sa.Column("did", sa.String(length=80), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("pseudonym"),
        sa.UniqueConstraint("did"),
    )
