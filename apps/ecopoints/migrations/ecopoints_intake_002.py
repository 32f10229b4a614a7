"""Where a device's months can be reckoned on from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_intake_002"
down_revision = "ecopoints_intake_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("eco_meters", sa.Column("progress", sa.LargeBinary(), nullable=True))
