"""What one device's part of the next batch is: its new readings, and the months that they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from apps.ecopoints.intake.registry import KnownDevice, Registry
from apps.ecopoints.intake.tables import NO_DATA, EcoChanged, EcoMeter, EcoMonth, EcoReading, EcoReview
from contracts.ecopoints.metering import MonthTotals, Reading, derive, window
from contracts.ecopoints.methodology.calendar import month_start_ms, next_month
from contracts.ecopoints.types import MAX_ENTRY_MONTHS, DeviceEntry, MonthEntry

BATCH = "record_batch"
CORRECTION = "record_correction"


@dataclass(frozen=True, slots=True)
class Part:
    """A device's part of a batch. A correction goes alone: the contract takes one device a call."""

    device: KnownDevice
    entry: DeviceEntry
    new: Sequence[tuple[str, int, int]]
    """Channel, end of the interval and value of the readings that the batch brings, in the order of its leaves."""
    is_correction: bool
    goes_alone: bool


def part_of(session: Session, registry: Registry, device: KnownDevice) -> Part | None:
    """The device's part, None if nothing of it changed. Its months are no longer noted as changed then."""
    noted = session.scalars(
        select(EcoChanged.month).where(EcoChanged.device == device.device).order_by(EcoChanged.month)
    ).all()
    changed, reckoned = _changed_months(session, device, noted)
    closed = [m for m in changed if registry.is_closed(session, device.methodology, device.municipality, m.month)]
    months = closed or changed
    if closed:  # the open months follow in a batch of their own
        reckoned = [m for m in reckoned if m in {c.month for c in closed} or m not in {c.month for c in changed}]
    if len(months) > MAX_ENTRY_MONTHS:
        left = {m.month for m in months[MAX_ENTRY_MONTHS:]}
        months, reckoned = months[:MAX_ENTRY_MONTHS], [m for m in reckoned if m not in left]
    session.execute(
        delete(EcoChanged).where(EcoChanged.device == device.device, EcoChanged.month.in_(reckoned))
    )  # fmt: skip
    new = _new_readings(session, device.device)
    if not new and not months:
        return None
    meter = session.get(EcoMeter, device.device)
    before, refusals = (meter.readings, meter.refusals) if meter is not None else (0, 0)
    entry = DeviceEntry(device.device, before, before + len(new), tuple(months))
    return Part(device, entry, new, bool(closed), bool(closed) or refusals > 0)


def _new_readings(session: Session, device: str) -> list[tuple[str, int, int]]:
    query = (
        select(EcoReading.channel, EcoReading.end_ms, EcoReading.value)
        .where(EcoReading.device == device, EcoReading.batch_id.is_(None))
        .order_by(EcoReading.channel, EcoReading.end_ms)
    )
    return [(channel, end_ms, value) for channel, end_ms, value in session.execute(query)]


def _changed_months(
    session: Session, device: KnownDevice, noted: Sequence[str]
) -> tuple[list[MonthEntry], list[str]]:  # fmt: skip
    """Those of the noted months that are not as the chain has them, and all that were reckoned."""
    if not noted:
        return [], []
    plan = device.plan
    readings = readings_of(session, device, window(plan, noted[0])[0], window(plan, noted[-1])[1])
    rows = session.scalars(select(EcoMonth).where(EcoMonth.device == device.device, EcoMonth.month.in_(noted)))
    recorded = {row.month: msgspec.convert(row.entry, MonthEntry) for row in rows}
    changed = []
    for month in noted:
        first, last = month_start_ms(month), month_start_ms(next_month(month))
        if month in recorded or any(first < reading.end_ms <= last for reading in readings):
            entry = entry_of(derive(plan, month, readings))
            says_something = month in recorded or entry.covered > 0 or entry.quarantined > 0
            if says_something and entry != recorded.get(month):
                changed.append(entry)
    return changed, list(noted)


def entry_of(month: MonthTotals) -> MonthEntry:
    return MonthEntry(
        month.month, dict(month.totals), month.covered, month.expected, quarantined=month.quarantined_intervals
    )


def readings_of(session: Session, device: KnownDevice, first_ms: int, last_ms: int) -> list[Reading]:
    """The device's readings between two moments, with what officers decided on them."""
    where = (EcoReview.device == device.device, EcoReview.end_ms.between(first_ms, last_ms), EcoReview.released)
    reviews = session.execute(select(EcoReview.channel, EcoReview.end_ms).where(*where))
    released = {(channel, end_ms) for channel, end_ms in reviews}
    query = select(EcoReading.channel, EcoReading.end_ms, EcoReading.value, EcoReading.conflict).where(
        EcoReading.device == device.device, EcoReading.end_ms.between(first_ms, last_ms)
    )
    return [
        Reading(channel, end_ms, None if value == NO_DATA else value, conflict, (channel, end_ms) in released)
        for channel, end_ms, value, conflict in session.execute(query)
    ]
