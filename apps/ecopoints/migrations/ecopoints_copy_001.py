"""The tables of the copy of the chain as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_copy_001"
down_revision = None
branch_labels = ("ecopoints_copy",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "eco_members",
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("joined_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_index(op.f("ix_eco_members_municipality"), "eco_members", ["municipality"])
    op.create_table(
        "eco_devices",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("methodology", sa.String(length=10), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("readings", sa.BigInteger(), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("device"),
    )
    for column in ("member", "methodology", "municipality"):
        op.create_index(op.f(f"ix_eco_devices_{column}"), "eco_devices", [column])
    op.create_table(
        "eco_device_months",
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("totals", sa.JSON(), nullable=False),
        sa.Column("covered", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("estimated", sa.JSON(), nullable=False),
        sa.Column("manual", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", "month"),
    )
    op.create_table(
        "eco_periods",
        sa.Column("period", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("methodology", sa.String(length=10), nullable=False),
        sa.Column("methodology_version", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("first_month", sa.String(length=7), nullable=False),
        sa.Column("last_month", sa.String(length=7), nullable=False),
        sa.Column("table", sa.String(length=32), nullable=False),
        sa.Column("table_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("cursor", sa.String(length=128), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("years", sa.JSON(), nullable=False),
        sa.Column("application", sa.String(length=48), nullable=False),
        sa.Column("closed_by", sa.String(length=64), nullable=False),
        sa.Column("retain_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period"),
    )
    for column in ("first_month", "municipality"):
        op.create_index(op.f(f"ix_eco_periods_{column}"), "eco_periods", [column])
