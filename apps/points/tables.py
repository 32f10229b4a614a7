"""The copy of the chain's points by which pages list and sum, and the seeds of one-time codes, which stay here.

`apps/points/copy.py` keeps the copy; deleting it loses nothing. Balances are not in it: the contract is asked, since
lots expire without an event.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base

# -- the copy ----------------------------------------------------------------------------------------------------------


class ShopRow(Base):
    """加盟店, as the chain has it: a pseudonym."""

    __tablename__ = "points_shops"

    account: Mapped[str] = mapped_column(String(64), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    points: Mapped[int] = mapped_column(BigInteger)
    closed: Mapped[bool]


class LineRow(Base):
    """One line of a shop's book, from the event that made it."""

    __tablename__ = "points_lines"
    __table_args__ = (Index("points_lines_of_shop", "shop", "position"),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Where on the chain it happened: rises with time."""
    shop: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(12))
    """received, given_back, settled, unsettled."""
    points: Mapped[int] = mapped_column(BigInteger)
    """Came (positive) or went."""
    about: Mapped[str] = mapped_column(String(48), index=True)
    """The payment or statement."""
    at_ms: Mapped[int] = mapped_column(BigInteger, index=True)


class PaymentRow(Base):
    """支払."""

    __tablename__ = "points_payments"

    payment: Mapped[str] = mapped_column(String(48), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    points: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    shop: Mapped[str] = mapped_column(String(64), index=True)
    refunded: Mapped[int] = mapped_column(BigInteger)
    opened_ms: Mapped[int] = mapped_column(BigInteger)
    until_ms: Mapped[int] = mapped_column(BigInteger)
    paid_ms: Mapped[int | None] = mapped_column(BigInteger)


class StatementRow(Base):
    """精算書."""

    __tablename__ = "points_statements"

    statement: Mapped[str] = mapped_column(String(48), primary_key=True)
    shop: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    points: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10), index=True)
    approved_by: Mapped[str] = mapped_column(String(64))
    burnt_by: Mapped[str] = mapped_column(String(64))
    paid_by: Mapped[str] = mapped_column(String(64))
    closed_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    changed_ms: Mapped[int] = mapped_column(BigInteger)


class RewardRow(Base):
    """交換品."""

    __tablename__ = "points_rewards"

    reward: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    name_ja: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(80))
    points: Mapped[int] = mapped_column(BigInteger)
    stock: Mapped[int]
    in_use: Mapped[bool]


class RedemptionRow(Base):
    """交換: a reward that was ordered."""

    __tablename__ = "points_redemptions"

    redemption: Mapped[str] = mapped_column(String(48), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    reward: Mapped[str] = mapped_column(String(48), index=True)
    count: Mapped[int]
    points: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(12), index=True)
    ordered_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)


# -- what stays here ---------------------------------------------------------------------------------------------------


class CodeSeed(Base):
    """What a one-time code is made of, together with the application's secret (`apps/points/codes.py`)."""

    __tablename__ = "points_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    seed: Mapped[bytes] = mapped_column(LargeBinary(16))
    about: Mapped[str] = mapped_column(String(48), index=True)
    """The payment or redemption; empty until the chain has made it."""
    made_ms: Mapped[int] = mapped_column(BigInteger, index=True)
