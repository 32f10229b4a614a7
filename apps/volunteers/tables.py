"""The application's own tables.

The first half is a copy of the chain's rows, so that lists can be searched and sorted and pages answer while no node
does; `copy.py` keeps it, and deleting it loses nothing. The second half never goes to the chain.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from apps.common.database import Base

# -- the copy ----------------------------------------------------------------------------------------------------------


class VolunteerRow(Base):
    """実施者, as the chain has them."""

    __tablename__ = "vol_volunteers"

    volunteer: Mapped[str] = mapped_column(String(64), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(12), index=True)
    skills: Mapped[list[str]] = mapped_column(JSON)
    listed: Mapped[bool]
    application: Mapped[str] = mapped_column(String(64))
    certificate: Mapped[str] = mapped_column(String(48))
    asked: Mapped[int]
    last_asked_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    live: Mapped[int]
    activities: Mapped[int]
    minutes: Mapped[int] = mapped_column(BigInteger)
    no_shows: Mapped[int]
    applied_ms: Mapped[int] = mapped_column(BigInteger)
    registered_ms: Mapped[int | None] = mapped_column(BigInteger)
    left_ms: Mapped[int | None] = mapped_column(BigInteger)


class CertificateRow(Base):
    """証明書. What it is worth at a moment is `standing_of`."""

    __tablename__ = "vol_certificates"

    certificate: Mapped[str] = mapped_column(String(48), primary_key=True)
    volunteer: Mapped[str] = mapped_column(String(64), index=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    status: Mapped[str] = mapped_column(String(10))
    status_index: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    valid_from_ms: Mapped[int] = mapped_column(BigInteger)
    valid_until_ms: Mapped[int] = mapped_column(BigInteger)
    issued_ms: Mapped[int] = mapped_column(BigInteger)
    issued_by: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(String(32))
    replaced_by: Mapped[str] = mapped_column(String(48))


class RequesterRow(Base):
    """受入施設 or 依頼者."""

    __tablename__ = "vol_requesters"

    requester: Mapped[str] = mapped_column(String(64), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    registered_ms: Mapped[int] = mapped_column(BigInteger)
    left_ms: Mapped[int | None] = mapped_column(BigInteger)


class PostingRow(Base):
    """募集."""

    __tablename__ = "vol_postings"
    __table_args__ = (Index("vol_postings_open", "status", "starts_ms"),)

    posting: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    requester: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    place: Mapped[str] = mapped_column(String(32))
    starts_ms: Mapped[int] = mapped_column(BigInteger)
    ends_ms: Mapped[int] = mapped_column(BigInteger)
    withdraw_until_ms: Mapped[int] = mapped_column(BigInteger)
    capacity: Mapped[int]
    skills: Mapped[list[str]] = mapped_column(JSON)
    selection: Mapped[str] = mapped_column(String(12))
    detail: Mapped[str] = mapped_column(String(64))
    shelter: Mapped[str] = mapped_column(String(64))
    direct: Mapped[bool]
    status: Mapped[str] = mapped_column(String(10))
    taken: Mapped[int]
    pending: Mapped[int]
    applications: Mapped[int]
    begun: Mapped[int]
    asked_ms: Mapped[int] = mapped_column(BigInteger)
    published_ms: Mapped[int | None] = mapped_column(BigInteger)
    changed_by: Mapped[str] = mapped_column(String(64))


class ApplicationRow(Base):
    """申込; `number` is its place in the order of applying."""

    __tablename__ = "vol_applications"

    posting: Mapped[str] = mapped_column(String(48), primary_key=True)
    volunteer: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(10), index=True)
    people: Mapped[int]
    number: Mapped[int]
    applied_ms: Mapped[int] = mapped_column(BigInteger)
    changed_ms: Mapped[int] = mapped_column(BigInteger)


class AskRow(Base):
    """依頼: one volunteer is asked directly."""

    __tablename__ = "vol_asks"

    ask: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    requester: Mapped[str] = mapped_column(String(64), index=True)
    volunteer: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    place: Mapped[str] = mapped_column(String(32))
    starts_ms: Mapped[int] = mapped_column(BigInteger)
    ends_ms: Mapped[int] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(10), index=True)
    posting: Mapped[str] = mapped_column(String(48))
    asked_ms: Mapped[int] = mapped_column(BigInteger)
    changed_ms: Mapped[int] = mapped_column(BigInteger)


class ActivityRow(Base):
    """活動, from check-in to points."""

    __tablename__ = "vol_activities"

    activity: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    posting: Mapped[str] = mapped_column(String(48), index=True)
    volunteer: Mapped[str] = mapped_column(String(64), index=True)
    requester: Mapped[str] = mapped_column(String(64), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    place: Mapped[str] = mapped_column(String(32))
    people: Mapped[int]
    certificate: Mapped[str] = mapped_column(String(48))
    path: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(10), index=True)
    started_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger)
    entered_ms: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str] = mapped_column(String(8))
    report: Mapped[str] = mapped_column(String(64))
    minutes: Mapped[int]
    points: Mapped[int]
    unpaid: Mapped[int]
    clipped: Mapped[str] = mapped_column(String(12))
    rule: Mapped[str] = mapped_column(String(48))
    changed_by: Mapped[str] = mapped_column(String(64))


class RuleRow(Base):
    """付与規則."""

    __tablename__ = "vol_rules"

    rule: Mapped[str] = mapped_column(String(48), primary_key=True)
    municipality: Mapped[str] = mapped_column(String(6), index=True)
    kinds: Mapped[list[str]] = mapped_column(JSON)
    points: Mapped[int]
    unit_minutes: Mapped[int]
    first_day: Mapped[str] = mapped_column(String(10))
    last_day: Mapped[str] = mapped_column(String(10))
    daily_cap: Mapped[int]
    yearly_cap: Mapped[int]
    lot_months: Mapped[int]
    set_by: Mapped[str] = mapped_column(String(64))


# -- what stays here ---------------------------------------------------------------------------------------------------


class Words(Base):
    """What people wrote about a posting, a request or a report, found by the commitment that the chain has."""

    __tablename__ = "vol_words"

    commitment: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(60))
    words: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(String(200))
    """Where to go: for those who were accepted, the requester and officers."""
    written_ms: Mapped[int] = mapped_column(BigInteger)
