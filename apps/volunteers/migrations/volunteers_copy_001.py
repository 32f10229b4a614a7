"""The tables of the copy of the chain's rows, and of the words that stay here, as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "volunteers_copy_001"
down_revision = None
branch_labels = ("volunteers_copy",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "vol_activities",
        sa.Column("activity", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("posting", sa.String(length=48), nullable=False),
        sa.Column("volunteer", sa.String(length=64), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.String(length=48), nullable=False),
        sa.Column("path", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("entered_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column("report", sa.String(length=64), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("unpaid", sa.Integer(), nullable=False),
        sa.Column("clipped", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("activity"),
    )
    op.create_index(op.f("ix_vol_activities_municipality"), "vol_activities", ["municipality"])
    op.create_index(op.f("ix_vol_activities_posting"), "vol_activities", ["posting"])
    op.create_index(op.f("ix_vol_activities_requester"), "vol_activities", ["requester"])
    op.create_index(op.f("ix_vol_activities_started_ms"), "vol_activities", ["started_ms"])
    op.create_index(op.f("ix_vol_activities_status"), "vol_activities", ["status"])
    op.create_index(op.f("ix_vol_activities_volunteer"), "vol_activities", ["volunteer"])
    op.create_table(
        "vol_applications",
        sa.Column("posting", sa.String(length=48), nullable=False),
        sa.Column("volunteer", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("posting", "volunteer"),
    )
    op.create_index(op.f("ix_vol_applications_status"), "vol_applications", ["status"])
    op.create_index(op.f("ix_vol_applications_volunteer"), "vol_applications", ["volunteer"])
    op.create_table(
        "vol_asks",
        sa.Column("ask", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("volunteer", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("posting", sa.String(length=48), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ask"),
    )
    op.create_index(op.f("ix_vol_asks_municipality"), "vol_asks", ["municipality"])
    op.create_index(op.f("ix_vol_asks_requester"), "vol_asks", ["requester"])
    op.create_index(op.f("ix_vol_asks_status"), "vol_asks", ["status"])
    op.create_index(op.f("ix_vol_asks_volunteer"), "vol_asks", ["volunteer"])
    op.create_table(
        "vol_certificates",
        sa.Column("certificate", sa.String(length=48), nullable=False),
        sa.Column("volunteer", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("status_index", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("issued_by", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.Column("replaced_by", sa.String(length=48), nullable=False),
        sa.PrimaryKeyConstraint("certificate"),
    )
    op.create_index(op.f("ix_vol_certificates_municipality"), "vol_certificates", ["municipality"])
    op.create_index(op.f("ix_vol_certificates_volunteer"), "vol_certificates", ["volunteer"])
    op.create_table(
        "vol_postings",
        sa.Column("posting", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("starts_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdraw_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("selection", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("shelter", sa.String(length=64), nullable=False),
        sa.Column("direct", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("applications", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=True),
        sa.Column("changed_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("posting"),
    )
    op.create_index(op.f("ix_vol_postings_municipality"), "vol_postings", ["municipality"])
    op.create_index(op.f("ix_vol_postings_requester"), "vol_postings", ["requester"])
    op.create_index("vol_postings_open", "vol_postings", ["status", "starts_ms"])
    op.create_table(
        "vol_requesters",
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("requester"),
    )
    op.create_index(op.f("ix_vol_requesters_municipality"), "vol_requesters", ["municipality"])
    op.create_table(
        "vol_rules",
        sa.Column("rule", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("unit_minutes", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.String(length=10), nullable=False),
        sa.Column("last_day", sa.String(length=10), nullable=False),
        sa.Column("daily_cap", sa.Integer(), nullable=False),
        sa.Column("yearly_cap", sa.Integer(), nullable=False),
        sa.Column("lot_months", sa.Integer(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("rule"),
    )
    op.create_index(op.f("ix_vol_rules_municipality"), "vol_rules", ["municipality"])
    op.create_table(
        "vol_volunteers",
        sa.Column("volunteer", sa.String(length=64), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("application", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.String(length=48), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("last_asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("activities", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=False),
        sa.Column("no_shows", sa.Integer(), nullable=False),
        sa.Column("applied_ms", sa.BigInteger(), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=True),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("volunteer"),
    )
    op.create_index(op.f("ix_vol_volunteers_last_asked_ms"), "vol_volunteers", ["last_asked_ms"])
    op.create_index(op.f("ix_vol_volunteers_municipality"), "vol_volunteers", ["municipality"])
    op.create_index(op.f("ix_vol_volunteers_status"), "vol_volunteers", ["status"])
    op.create_table(
        "vol_words",
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("written_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commitment"),
    )
