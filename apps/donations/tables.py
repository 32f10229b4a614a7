"""The application's own tables.

The first half is a copy of the chain's rows, so that lists can be searched and sorted and pages answer while no node
does; `apps/donations/copy.py` keeps it, and deleting it loses nothing. The second half is what never goes to the chain:
contacts, free words, the tokens of QR codes, pledges that wait for their address to be confirmed.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base

# -- the copy ----------------------------------------------------------------------------------------------------------


class ShelterRow(Base):
    """避難所, as the chain has it."""

    __tablename__ = "shelters"

    shelter: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    name_ja: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(10))
    redirect_to: Mapped[str] = mapped_column(String(48))
    contact: Mapped[str] = mapped_column(String(64))
    staff: Mapped[list[str]] = mapped_column(JSON)


class ItemRow(Base):
    """品目 of the master."""

    __tablename__ = "items"

    item: Mapped[str] = mapped_column(String(48), primary_key=True)
    name_ja: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(48), index=True)
    unit_ja: Mapped[str] = mapped_column(String(80))
    sizes: Mapped[list[str]] = mapped_column(JSON)
    needs_expiry: Mapped[bool]
    in_use: Mapped[bool]
    kept_by: Mapped[str] = mapped_column(String(6))


class NeedRow(Base):
    """必要物資. `shown` is what is still needed."""

    __tablename__ = "needs"
    __table_args__ = (Index("needs_open", "closed", "shown"),)

    need: Mapped[str] = mapped_column(String(48), primary_key=True)
    shelter: Mapped[str] = mapped_column(String(48), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    item: Mapped[str] = mapped_column(String(48), index=True)
    size: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[int] = mapped_column(BigInteger)
    pledged: Mapped[int] = mapped_column(BigInteger)
    requested: Mapped[int] = mapped_column(BigInteger)
    shipped: Mapped[int] = mapped_column(BigInteger)
    arrived: Mapped[int] = mapped_column(BigInteger)
    shown: Mapped[int] = mapped_column(BigInteger)
    pledges: Mapped[int]
    priority: Mapped[str] = mapped_column(String(10))
    beneficiaries: Mapped[str] = mapped_column(String(10))
    allergens: Mapped[list[str]] = mapped_column(JSON)
    need_by_ms: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(String(64))
    closed: Mapped[bool]
    registered_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    occurred_ms: Mapped[int] = mapped_column(BigInteger)


class OfferRow(Base):
    """提供物資: a pledge to a need, or a free offer."""

    __tablename__ = "offers"

    offer: Mapped[str] = mapped_column(String(48), primary_key=True)
    supporter: Mapped[str] = mapped_column(String(64), index=True)
    item: Mapped[str] = mapped_column(String(48), index=True)
    size: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[int] = mapped_column(BigInteger)
    left: Mapped[int] = mapped_column(BigInteger)
    need: Mapped[str] = mapped_column(String(48), index=True)
    pledged: Mapped[int] = mapped_column(BigInteger)
    available_from_ms: Mapped[int | None] = mapped_column(BigInteger)
    goods_expire_ms: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10), index=True)
    registered_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class RequestRow(Base):
    """送付依頼: the match."""

    __tablename__ = "requests"

    request: Mapped[str] = mapped_column(String(48), primary_key=True)
    offer: Mapped[str] = mapped_column(String(48), index=True)
    need: Mapped[str] = mapped_column(String(48), index=True)
    supporter: Mapped[str] = mapped_column(String(64), index=True)
    shelter: Mapped[str] = mapped_column(String(48), index=True)
    item: Mapped[str] = mapped_column(String(48))
    size: Mapped[str] = mapped_column(String(32))
    quantity: Mapped[int] = mapped_column(BigInteger)
    boxes: Mapped[int]
    boxes_arrived: Mapped[int]
    status: Mapped[str] = mapped_column(String(10), index=True)
    requested_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    shipped_ms: Mapped[int | None] = mapped_column(BigInteger)


class BoxRow(Base):
    """One box of a request."""

    __tablename__ = "boxes"

    request: Mapped[str] = mapped_column(String(48), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    received: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[str] = mapped_column(String(48), index=True)
    reason: Mapped[str] = mapped_column(String(32))
    received_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    occurred_ms: Mapped[int | None] = mapped_column(BigInteger)


class StockRow(Base):
    """What a shelter or a 防災備蓄倉庫 has of an item."""

    __tablename__ = "stocks"

    shelter: Mapped[str] = mapped_column(String(48), primary_key=True)
    item: Mapped[str] = mapped_column(String(48), primary_key=True)
    size: Mapped[str] = mapped_column(String(32), primary_key=True)
    quantity: Mapped[int] = mapped_column(BigInteger)
    minimum: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int | None] = mapped_column(BigInteger)


# -- what stays here ---------------------------------------------------------------------------------------------------


class Contact(Base):
    """D10a: how to reach a shelter. The chain has a salted commitment to it."""

    __tablename__ = "shelter_contacts"

    shelter: Mapped[str] = mapped_column(String(48), primary_key=True)
    address: Mapped[str] = mapped_column(String(200))
    person: Mapped[str] = mapped_column(String(60))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(2), default="ja")


class NeedDetail(Base):
    """D1a: what people wrote about a need, found by the commitment to it that the chain has."""

    __tablename__ = "need_details"

    commitment: Mapped[str] = mapped_column(String(64), primary_key=True)
    words: Mapped[str] = mapped_column(Text)
    written_ms: Mapped[int] = mapped_column(BigInteger)


class BoxToken(Base):
    """The unguessable code of a box, which the labels need again. `request` is empty until the chain has named it."""

    __tablename__ = "box_tokens"

    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    write_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """The write that hands the request in."""
    request: Mapped[str] = mapped_column(String(48), index=True)
    number: Mapped[int]


class Pending(Base):
    """D3b: a pledge or offer of somebody whose address is not confirmed. It lapses at `lapses_ms`."""

    __tablename__ = "pending_offers"

    offer: Mapped[str] = mapped_column(String(48), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    lapses_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    withdrawn: Mapped[bool] = mapped_column(default=False)
