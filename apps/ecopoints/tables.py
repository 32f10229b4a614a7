"""The copy of the chain's members, devices, months and periods, by which pages list and search.

`apps/ecopoints/copy.py` keeps it, and deleting it loses nothing. Raw readings are in `apps.ecopoints.intake.tables`.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base


class MemberRow(Base):
    """会員, as the chain has it: a pseudonym."""

    __tablename__ = "eco_members"

    member: Mapped[str] = mapped_column(String(64), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    number: Mapped[int]
    joined_ms: Mapped[int] = mapped_column(BigInteger)
    left_ms: Mapped[int | None] = mapped_column(BigInteger)


class DeviceRow(Base):
    """機器: a car, a plant, a generator or a meter."""

    __tablename__ = "eco_devices"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    member: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    methodology: Mapped[str] = mapped_column(String(10), index=True)
    parameters: Mapped[dict[str, int | str]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(String(64))
    serial: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(64))
    readings: Mapped[int] = mapped_column(BigInteger)
    registered_ms: Mapped[int] = mapped_column(BigInteger)
    retired_ms: Mapped[int | None] = mapped_column(BigInteger)


class DeviceMonthRow(Base):
    """What a device measured in a month, as the chain has it: also what a member entered by hand."""

    __tablename__ = "eco_device_months"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    totals: Mapped[dict[str, int]] = mapped_column(JSON)
    covered: Mapped[int]
    expected: Mapped[int]
    quarantined: Mapped[int]
    estimated: Mapped[list[str]] = mapped_column(JSON)
    manual: Mapped[list[str]] = mapped_column(JSON)


class PeriodRow(Base):
    """モニタリング期間, with its sums by fiscal year."""

    __tablename__ = "eco_periods"

    period: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    methodology: Mapped[str] = mapped_column(String(10))
    methodology_version: Mapped[str] = mapped_column(String(32))
    region: Mapped[str] = mapped_column(String(32))
    first_month: Mapped[str] = mapped_column(String(7), index=True)
    last_month: Mapped[str] = mapped_column(String(7))
    table: Mapped[str] = mapped_column(String(32))
    table_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[str] = mapped_column(String(10))
    cursor: Mapped[str] = mapped_column(String(128))
    devices: Mapped[int]
    years: Mapped[dict[str, dict[str, str]]] = mapped_column(JSON)
    application: Mapped[str] = mapped_column(String(48))
    closed_by: Mapped[str] = mapped_column(String(64))
    retain_until_ms: Mapped[int] = mapped_column(BigInteger)
