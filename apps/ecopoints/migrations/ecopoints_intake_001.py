"""The intake's tables as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_intake_001"
down_revision = None
branch_labels = ("ecopoints_intake",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "eco_packets",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "sequence"),
    )
    op.create_table(
        "eco_readings",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("conflict", sa.Boolean(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("leaf", sa.Integer(), nullable=True),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "channel", "end_ms"),
    )
    unbatched = sa.text("batch_id IS NULL")
    op.create_index("eco_readings_new", "eco_readings", ["device"], sqlite_where=unbatched, postgresql_where=unbatched)
    op.create_index("eco_readings_batch", "eco_readings", ["batch_id", "leaf"])
    op.create_table(
        "eco_conflicts",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", "channel", "end_ms", "value"),
    )
    op.create_table(
        "eco_reviews",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("device", "channel", "end_ms"),
    )
    op.create_table(
        "eco_changed",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.PrimaryKeyConstraint("device", "month"),
    )
    op.create_table(
        "eco_meters",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_index(op.f("ix_eco_meters_batch_id"), "eco_meters", ["batch_id"])
    op.create_table(
        "eco_months",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", "month"),
    )
    op.create_table(
        "eco_batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("batch", sa.String(length=48), nullable=False),
        sa.Column("planned_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_eco_batches_state"), "eco_batches", ["state"])
