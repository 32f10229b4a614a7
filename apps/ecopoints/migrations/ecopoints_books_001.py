"""The tables of the copy of rules, grants, applications, credits and sales as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_books_001"
down_revision = None
branch_labels = ("ecopoints_books",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "eco_rules",
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("methodologies", sa.JSON(), nullable=False),
        sa.Column("rate_points", sa.Integer(), nullable=False),
        sa.Column("rate_kg", sa.Integer(), nullable=False),
        sa.Column("first_month", sa.String(length=7), nullable=False),
        sa.Column("last_month", sa.String(length=7), nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("cap", sa.BigInteger(), nullable=False),
        sa.Column("when", sa.String(length=12), nullable=False),
        sa.Column("lot_months", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("rule"),
    )
    op.create_index(op.f("ix_eco_rules_municipality"), "eco_rules", ["municipality"])
    op.create_table(
        "eco_runs",
        sa.Column("period", sa.String(length=48), nullable=False),
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", sa.String(length=64), nullable=False),
        sa.Column("released_by", sa.String(length=64), nullable=False),
        sa.Column("cursor", sa.String(length=128), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "rule"),
    )
    op.create_index(op.f("ix_eco_runs_rule"), "eco_runs", ["rule"])
    op.create_table(
        "eco_applications",
        sa.Column("application", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("methodology", sa.String(length=10), nullable=False),
        sa.Column("periods", sa.JSON(), nullable=False),
        sa.Column("tonnes_by_year", sa.JSON(), nullable=False),
        sa.Column("tonnes", sa.BigInteger(), nullable=False),
        sa.Column("approved", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("application"),
    )
    op.create_index(op.f("ix_eco_applications_municipality"), "eco_applications", ["municipality"])
    op.create_table(
        "eco_credits",
        sa.Column("block", sa.String(length=48), nullable=False),
        sa.Column("application", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("prefix", sa.String(length=32), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.Column("certified_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block"),
    )
    op.create_index(op.f("ix_eco_credits_application"), "eco_credits", ["application"])
    op.create_index(op.f("ix_eco_credits_municipality"), "eco_credits", ["municipality"])
    op.create_table(
        "eco_sales",
        sa.Column("sale", sa.String(length=48), nullable=False),
        sa.Column("block", sa.String(length=48), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("yen_per_tonne", sa.BigInteger(), nullable=False),
        sa.Column("buyer", sa.String(length=12), nullable=False),
        sa.Column("revenue_yen", sa.BigInteger(), nullable=False),
        sa.Column("sold_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sale"),
    )
    op.create_index(op.f("ix_eco_sales_block"), "eco_sales", ["block"])
