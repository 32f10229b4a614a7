"""The volunteers' keys, sealed with the application's secret."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base


class HolderKeyRow(Base):
    """A volunteer's did:key and its sealed private key; deleted with the volunteer, and then nobody can use it."""

    __tablename__ = "volunteer_keys"

    pseudonym: Mapped[str] = mapped_column(String(40), primary_key=True)
    did: Mapped[str] = mapped_column(String(80), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    created_ms: Mapped[int] = mapped_column(BigInteger)
