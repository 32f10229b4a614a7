"""The copy of the municipalities' books: rules, grants, applications, certified credits and their sales.

`apps.ecopoints.books.copy.py` keeps it; deleting it loses nothing.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base


class RuleRow(Base):
    """付与規則, with its budget and what is paid of it."""

    __tablename__ = "eco_rules"

    rule: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    methodologies: Mapped[list[str]] = mapped_column(JSON)
    rate_points: Mapped[int]
    rate_kg: Mapped[int]
    first_month: Mapped[str] = mapped_column(String(7))
    last_month: Mapped[str] = mapped_column(String(7))
    budget: Mapped[int] = mapped_column(BigInteger)
    paid: Mapped[int] = mapped_column(BigInteger)
    cap: Mapped[int] = mapped_column(BigInteger)
    when: Mapped[str] = mapped_column(String(12))
    lot_months: Mapped[int]
    ended: Mapped[bool]


class RunRow(Base):
    """付与: a rule applied to a period, who proposed and who released it."""

    __tablename__ = "eco_runs"

    period: Mapped[str] = mapped_column(String(48), primary_key=True)
    rule: Mapped[str] = mapped_column(String(48), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(10))
    proposed_by: Mapped[str] = mapped_column(String(64))
    released_by: Mapped[str] = mapped_column(String(64))
    cursor: Mapped[str] = mapped_column(String(128))
    members: Mapped[int]
    points: Mapped[int] = mapped_column(BigInteger)


class ApplicationRow(Base):
    """認証申請: settled periods, in whole tonnes of each fiscal year."""

    __tablename__ = "eco_applications"

    application: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    methodology: Mapped[str] = mapped_column(String(10))
    periods: Mapped[list[str]] = mapped_column(JSON)
    tonnes_by_year: Mapped[dict[str, int]] = mapped_column(JSON)
    tonnes: Mapped[int] = mapped_column(BigInteger)
    approved: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    applied_ms: Mapped[int] = mapped_column(BigInteger)


class CreditRow(Base):
    """認証クレジット: a block of serial numbers, a tonne each."""

    __tablename__ = "eco_credits"

    block: Mapped[str] = mapped_column(String(48), primary_key=True)
    application: Mapped[str] = mapped_column(String(48), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    prefix: Mapped[str] = mapped_column(String(32))
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    sold: Mapped[int] = mapped_column(BigInteger)
    certified_ms: Mapped[int] = mapped_column(BigInteger)

    @property
    def tonnes(self) -> int:
        return self.last - self.first + 1

    @property
    def left(self) -> int:
        return self.tonnes - self.sold


class SaleRow(Base):
    """売却: serial numbers of a block at a price."""

    __tablename__ = "eco_sales"

    sale: Mapped[str] = mapped_column(String(48), primary_key=True)
    block: Mapped[str] = mapped_column(String(48), index=True)
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    yen_per_tonne: Mapped[int] = mapped_column(BigInteger)
    buyer: Mapped[str] = mapped_column(String(12))
    revenue_yen: Mapped[int] = mapped_column(BigInteger)
    sold_ms: Mapped[int] = mapped_column(BigInteger)

    @property
    def tonnes(self) -> int:
        return self.last - self.first + 1
