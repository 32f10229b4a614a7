"""The tables of members, their devices' plates, documents and files as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ecopoints_people_001"
down_revision = None
branch_labels = ("ecopoints_people",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "eco_people",
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("member"),
    )
    for column in ("municipality", "state", "user_id"):
        op.create_index(op.f(f"ix_eco_people_{column}"), "eco_people", [column])
    op.create_table(
        "eco_plates",
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("serial_text", sa.String(length=60), nullable=False),
        sa.Column("place_text", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("member", "serial"),
    )
    op.create_table(
        "eco_documents",
        sa.Column("document", sa.String(length=48), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("device", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=40), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("uploaded_ms", sa.BigInteger(), nullable=False),
        sa.Column("keep_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("document"),
    )
    for column in ("member", "municipality", "uploaded_ms"):
        op.create_index(op.f(f"ix_eco_documents_{column}"), "eco_documents", [column])
    op.create_table(
        "eco_uploads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_eco_uploads_member"), "eco_uploads", ["member"])
