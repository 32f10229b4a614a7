"""What the application alone knows of members: who they are, what their devices are called, their documents and files.

Personal data: none of it is on the chain, and all of it goes when a member is removed (`keeping`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base


class EcoPerson(Base):
    """Who a member, or somebody who has applied, is."""

    __tablename__ = "eco_people"

    member: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The pseudonym: what the chain calls them."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """Who signs in as this member; None: somebody whom the municipality serves on paper."""
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    """household, firm."""
    name: Mapped[str] = mapped_column(String(100))
    address: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10), index=True)
    """applied, returned (with the reason), joined."""
    reason: Mapped[str] = mapped_column(Text)
    applied_ms: Mapped[int] = mapped_column(BigInteger)


class EcoPlate(Base):
    """What is written on a member's device: the chain has commitments to it (E4e)."""

    __tablename__ = "eco_plates"

    member: Mapped[str] = mapped_column(String(64), primary_key=True)
    serial: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The commitment: by it the chain's row of the device is found."""
    label: Mapped[str] = mapped_column(String(60))
    """What its owner calls it."""
    serial_text: Mapped[str] = mapped_column(String(60))
    place_text: Mapped[str] = mapped_column(String(60))
    """Supply point or, of a car, the VIN."""


class EcoDocument(Base):
    """書類: an image or PDF as it was handed in. The chain has a salted commitment to these bytes (E4b)."""

    __tablename__ = "eco_documents"

    document: Mapped[str] = mapped_column(String(48), primary_key=True)
    member: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    device: Mapped[str] = mapped_column(String(48))
    """What it is about; empty: the member."""
    name: Mapped[str] = mapped_column(String(200))
    content_type: Mapped[str] = mapped_column(String(40))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    """To notice the same file again."""
    uploaded_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    keep_until_ms: Mapped[int] = mapped_column(BigInteger)
    """Its member has left: it is deleted then (E5c); 0 before."""


class EcoUpload(Base):
    """A table of values that was looked at and waits for its sender's word (E3b)."""

    __tablename__ = "eco_uploads"

    id: Mapped[int] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(String(64), index=True)
    what: Mapped[str] = mapped_column(String(10))
    """months (what a statement says), readings (what a meter shows)."""
    name: Mapped[str] = mapped_column(String(200))
    data: Mapped[bytes] = mapped_column(LargeBinary)
    entered: Mapped[bool]
    created_ms: Mapped[int] = mapped_column(BigInteger)
