"""The tables of the copy of points, and of the seeds of one-time codes, as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "points_copy_001"
down_revision = None
branch_labels = ("points_copy",)
depends_on = "common_001"


def upgrade() -> None:
    _shops()
    _payments()
    _rewards()
    op.create_table(
        "points_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seed", sa.LargeBinary(length=16), nullable=False),
        sa.Column("about", sa.String(length=48), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("about", "made_ms", "user_id"):
        op.create_index(op.f(f"ix_points_codes_{column}"), "points_codes", [column])


def _shops() -> None:
    op.create_table(
        "points_shops",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_index(op.f("ix_points_shops_municipality"), "points_shops", ["municipality"])
    op.create_table(
        "points_lines",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.String(length=48), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index("points_lines_of_shop", "points_lines", ["shop", "position"])
    for column in ("about", "at_ms"):
        op.create_index(op.f(f"ix_points_lines_{column}"), "points_lines", [column])


def _payments() -> None:
    op.create_table(
        "points_payments",
        sa.Column("payment", sa.String(length=48), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("paid_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("payment"),
    )
    for column in ("account", "municipality", "shop"):
        op.create_index(op.f(f"ix_points_payments_{column}"), "points_payments", [column])
    op.create_table(
        "points_statements",
        sa.Column("statement", sa.String(length=48), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("burnt_by", sa.String(length=64), nullable=False),
        sa.Column("paid_by", sa.String(length=64), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("statement"),
    )
    for column in ("closed_ms", "municipality", "shop", "status"):
        op.create_index(op.f(f"ix_points_statements_{column}"), "points_statements", [column])


def _rewards() -> None:
    op.create_table(
        "points_rewards",
        sa.Column("reward", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("name_ja", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("reward"),
    )
    op.create_index(op.f("ix_points_rewards_municipality"), "points_rewards", ["municipality"])
    op.create_table(
        "points_redemptions",
        sa.Column("redemption", sa.String(length=48), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("reward", sa.String(length=48), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("ordered_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("redemption"),
    )
    for column in ("account", "municipality", "reward", "status"):
        op.create_index(op.f(f"ix_points_redemptions_{column}"), "points_redemptions", [column])
