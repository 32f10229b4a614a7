"""The application's tables as they were first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "donations_001"
down_revision = None
branch_labels = ("donations",)
depends_on = "common_001"


def upgrade() -> None:
    op.create_table(
        "box_tokens",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("write_id", sa.BigInteger(), nullable=True),
        sa.Column("request", sa.String(length=48), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index(op.f("ix_box_tokens_request"), "box_tokens", ["request"], unique=False)
    op.create_index(op.f("ix_box_tokens_write_id"), "box_tokens", ["write_id"], unique=False)
    op.create_table(
        "boxes",
        sa.Column("request", sa.String(length=48), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.String(length=48), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=True),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("request", "number"),
    )
    op.create_index(op.f("ix_boxes_received_at"), "boxes", ["received_at"], unique=False)
    op.create_index(op.f("ix_boxes_received_ms"), "boxes", ["received_ms"], unique=False)
    op.create_table(
        "items",
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("name_ja", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=48), nullable=False),
        sa.Column("unit_ja", sa.String(length=80), nullable=False),
        sa.Column("sizes", sa.JSON(), nullable=False),
        sa.Column("needs_expiry", sa.Boolean(), nullable=False),
        sa.Column("in_use", sa.Boolean(), nullable=False),
        sa.Column("kept_by", sa.String(length=6), nullable=False),
        sa.PrimaryKeyConstraint("item"),
    )
    op.create_index(op.f("ix_items_category"), "items", ["category"], unique=False)
    op.create_table(
        "need_details",
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("written_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("commitment"),
    )
    op.create_table(
        "needs",
        sa.Column("need", sa.String(length=48), nullable=False),
        sa.Column("shelter", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("size", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("pledged", sa.BigInteger(), nullable=False),
        sa.Column("requested", sa.BigInteger(), nullable=False),
        sa.Column("shipped", sa.BigInteger(), nullable=False),
        sa.Column("arrived", sa.BigInteger(), nullable=False),
        sa.Column("shown", sa.BigInteger(), nullable=False),
        sa.Column("pledges", sa.Integer(), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("beneficiaries", sa.String(length=10), nullable=False),
        sa.Column("allergens", sa.JSON(), nullable=False),
        sa.Column("need_by_ms", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=False),
        sa.Column("occurred_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("need"),
    )
    op.create_index(op.f("ix_needs_item"), "needs", ["item"], unique=False)
    op.create_index(op.f("ix_needs_municipality"), "needs", ["municipality"], unique=False)
    op.create_index(op.f("ix_needs_registered_ms"), "needs", ["registered_ms"], unique=False)
    op.create_index(op.f("ix_needs_shelter"), "needs", ["shelter"], unique=False)
    op.create_index("needs_open", "needs", ["closed", "shown"], unique=False)
    op.create_table(
        "offers",
        sa.Column("offer", sa.String(length=48), nullable=False),
        sa.Column("supporter", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("size", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.Column("need", sa.String(length=48), nullable=False),
        sa.Column("pledged", sa.BigInteger(), nullable=False),
        sa.Column("available_from_ms", sa.BigInteger(), nullable=True),
        sa.Column("goods_expire_ms", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("registered_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer"),
    )
    op.create_index(op.f("ix_offers_item"), "offers", ["item"], unique=False)
    op.create_index(op.f("ix_offers_need"), "offers", ["need"], unique=False)
    op.create_index(op.f("ix_offers_registered_ms"), "offers", ["registered_ms"], unique=False)
    op.create_index(op.f("ix_offers_status"), "offers", ["status"], unique=False)
    op.create_index(op.f("ix_offers_supporter"), "offers", ["supporter"], unique=False)
    op.create_table(
        "requests",
        sa.Column("request", sa.String(length=48), nullable=False),
        sa.Column("offer", sa.String(length=48), nullable=False),
        sa.Column("need", sa.String(length=48), nullable=False),
        sa.Column("supporter", sa.String(length=64), nullable=False),
        sa.Column("shelter", sa.String(length=48), nullable=False),
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("size", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("boxes", sa.Integer(), nullable=False),
        sa.Column("boxes_arrived", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=False),
        sa.Column("shipped_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("request"),
    )
    op.create_index(op.f("ix_requests_need"), "requests", ["need"], unique=False)
    op.create_index(op.f("ix_requests_offer"), "requests", ["offer"], unique=False)
    op.create_index(op.f("ix_requests_requested_ms"), "requests", ["requested_ms"], unique=False)
    op.create_index(op.f("ix_requests_shelter"), "requests", ["shelter"], unique=False)
    op.create_index(op.f("ix_requests_status"), "requests", ["status"], unique=False)
    op.create_index(op.f("ix_requests_supporter"), "requests", ["supporter"], unique=False)
    op.create_table(
        "shelter_contacts",
        sa.Column("shelter", sa.String(length=48), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=60), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.PrimaryKeyConstraint("shelter"),
    )
    op.create_table(
        "shelters",
        sa.Column("shelter", sa.String(length=48), nullable=False),
        sa.Column("municipality", sa.String(length=6), nullable=False),
        sa.Column("name_ja", sa.String(length=80), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("redirect_to", sa.String(length=48), nullable=False),
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.Column("staff", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("shelter"),
    )
    op.create_index(op.f("ix_shelters_municipality"), "shelters", ["municipality"], unique=False)
    op.create_table(
        "stocks",
        sa.Column("shelter", sa.String(length=48), nullable=False),
        sa.Column("item", sa.String(length=48), nullable=False),
        sa.Column("size", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("minimum", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shelter", "item", "size"),
    )
    op.create_table(
        "pending_offers",
        sa.Column("offer", sa.String(length=48), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("lapses_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("offer"),
    )
    op.create_index(op.f("ix_pending_offers_lapses_ms"), "pending_offers", ["lapses_ms"], unique=False)
    op.create_index(op.f("ix_pending_offers_user_id"), "pending_offers", ["user_id"], unique=False)
    # ### end Alembic commands ###


def downgrade() -> None:
    op.drop_table("pending_offers")
    op.drop_table("stocks")
    op.drop_table("shelters")
    op.drop_table("shelter_contacts")
    op.drop_table("requests")
    op.drop_table("offers")
    op.drop_table("needs")
    op.drop_table("need_details")
    op.drop_table("items")
    op.drop_table("boxes")
    op.drop_table("box_tokens")
