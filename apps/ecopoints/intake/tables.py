"""The intake's own tables: every reading as it came, and how far its device is known to the chain.

Readings are the evidence under the chain's totals: nothing here is changed after it was stored, and what must be kept
for a certified period (E5c) is these rows.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base

NO_DATA = -1
"""In a value's column: the device answered that it has no data."""


class EcoPacket(Base):
    """A packet that was taken: its sequence number stands for its content for ever."""

    __tablename__ = "eco_packets"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    received_ms: Mapped[int] = mapped_column(BigInteger)


class EcoReading(Base):
    """The first value that came for a device, channel and time."""

    __tablename__ = "eco_readings"
    __table_args__ = (
        Index(
            "eco_readings_new", "device",
            sqlite_where=text("batch_id IS NULL"), postgresql_where=text("batch_id IS NULL"),
        ),
        Index("eco_readings_batch", "batch_id", "leaf"),
    )  # fmt: skip

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    end_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)
    manual: Mapped[bool]
    """Uploaded by a member, not signed by a device."""
    conflict: Mapped[bool]
    """Another value came later: see `EcoConflict`."""
    batch_id: Mapped[int | None] = mapped_column(BigInteger)
    leaf: Mapped[int | None]
    """Its place among the leaves of its batch."""
    received_ms: Mapped[int] = mapped_column(BigInteger)


class EcoConflict(Base):
    """A value that came for a time that has another one. The first stays; neither counts until an officer decides."""

    __tablename__ = "eco_conflicts"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    end_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    received_ms: Mapped[int] = mapped_column(BigInteger)


class EcoReview(Base):
    """An officer's decision as the chain has it: `released` readings count (E4f)."""

    __tablename__ = "eco_reviews"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    end_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    released: Mapped[bool]


class EcoChanged(Base):
    """A device's month whose totals may have changed since they were last planned for the chain."""

    __tablename__ = "eco_changed"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)


class EcoMeter(Base):
    """How far a device is on the chain. One batch at a time is on its way for it."""

    __tablename__ = "eco_meters"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    readings: Mapped[int] = mapped_column(BigInteger)
    """Readings of the device on the chain."""
    batch_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    """The batch on its way."""
    refusals: Mapped[int]
    """Batches with this device that the chain refused, since the last that it took."""
    next_ms: Mapped[int] = mapped_column(BigInteger)
    """Not planned again before this."""
    progress: Mapped[bytes | None] = mapped_column(LargeBinary)
    """`contracts.ecopoints.progress.Progress`: where its months can be reckoned on from. None: they are derived."""


class EcoMonth(Base):
    """A device's month as the chain has it."""

    __tablename__ = "eco_months"

    device: Mapped[str] = mapped_column(String(48), primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    entry: Mapped[dict[str, object]] = mapped_column(JSON)


class EcoBatch(Base):
    """A batch of readings, planned in one transaction with its write to the chain."""

    __tablename__ = "eco_batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6))
    method: Mapped[str] = mapped_column(String(20))
    """record_batch or record_correction."""
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    readings: Mapped[int]
    entries: Mapped[list[dict[str, object]]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10), index=True)
    """waiting, done, refused."""
    batch: Mapped[str] = mapped_column(String(48))
    """The chain's id of it; empty until it is done."""
    planned_ms: Mapped[int] = mapped_column(BigInteger)
