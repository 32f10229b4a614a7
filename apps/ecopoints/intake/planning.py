"""What the devices' parts of the next batch are: their new readings, and the months that they change.

What a batch needs is fetched for all its devices together. A device whose readings only go on from the last ones is
reckoned on (`contracts.ecopoints.progress`); of any other, the months are derived from all their readings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.ecopoints.intake.registry import KnownDevice, Registry
from apps.ecopoints.intake.tables import NO_DATA, EcoChanged, EcoMeter, EcoMonth, EcoReading, EcoReview
from contracts.ecopoints.metering import MonthTotals, Plan, Reading, derive, window
from contracts.ecopoints.methodology.calendar import month_of, month_start_ms, next_month
from contracts.ecopoints.progress import Progress, advance, progress_of
from contracts.ecopoints.types import MAX_ENTRY_MONTHS, DeviceEntry, MonthEntry
from ledger.encoding import unpack

BATCH = "record_batch"
CORRECTION = "record_correction"
DAY_PART_MS = 3 * 60 * 60_000
"""A divisor of the nine hours that Japan is ahead: months begin at its multiples."""


@dataclass(frozen=True, slots=True)
class Part:
    """A device's part of a batch; nothing, where neither readings nor months are in its entry."""

    device: KnownDevice
    entry: DeviceEntry
    new: Sequence[tuple[str, int, int]]
    """Channel, end of the interval and value of the readings that the batch brings, in the order of its leaves."""
    reckoned: Sequence[str]
    """Months that are no longer noted as changed."""
    progress: Progress | None
    """Where the device stands with this batch, if its next readings can be reckoned on from there."""
    is_correction: bool
    goes_alone: bool
    """A correction does: the contract takes one device a call. So does a device whose last batch was refused."""

    @property
    def is_nothing(self) -> bool:
        return not self.new and not self.entry.months


@dataclass(frozen=True, slots=True)
class _Meter:
    readings: int = 0
    refusals: int = 0
    progress: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """The months that are not as the chain has them, those that were looked at, and where that leads."""

    changed: Sequence[MonthEntry]
    looked_at: Sequence[str]
    progress: Progress | None


@dataclass
class Planning:
    """The parts of `devices` in one transaction. What many of them need is asked of the database once."""

    session: Session
    registry: Registry
    devices: Mapping[str, KnownDevice]
    _closed: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    _new: Mapping[str, list[tuple[str, int, int]]] = field(init=False)
    _noted: Mapping[str, list[str]] = field(init=False)
    _meters: Mapping[str, _Meter] = field(init=False)

    def __post_init__(self) -> None:
        ids = list(self.devices)
        self._new = _new_readings(self.session, ids)
        self._noted = _noted_months(self.session, ids)
        meters = select(EcoMeter.device, EcoMeter.readings, EcoMeter.refusals, EcoMeter.progress).where(
            EcoMeter.device.in_(ids)
        )
        self._meters = {
            device: _Meter(readings, refusals, progress)
            for device, readings, refusals, progress in self.session.execute(meters)
        }

    def part_of(self, device_id: str) -> Part:
        device, meter = self.devices[device_id], self._meters.get(device_id, _Meter())
        new, noted = self._new.get(device_id, []), self._noted.get(device_id, [])
        found = self._reckon_on(device, meter, new, noted)
        if found is None:
            found = self._derive(device, noted)
        closed = [m for m in found.changed if self._is_closed(device, m.month)]
        months = (closed or found.changed)[:MAX_ENTRY_MONTHS]  # open months follow closed ones in a batch of their own
        left = {m.month for m in found.changed} - {m.month for m in months}
        entry = DeviceEntry(device_id, meter.readings, meter.readings + len(new), tuple(months))
        return Part(
            device, entry, new, [month for month in found.looked_at if month not in left],
            None if left else found.progress, is_correction=bool(closed), goes_alone=bool(closed) or meter.refusals > 0,
        )  # fmt: skip

    def _is_closed(self, device: KnownDevice, month: str) -> bool:
        which = (device.methodology, device.municipality, month)
        if which not in self._closed:
            self._closed[which] = self.registry.is_closed(self.session, *which)
        return self._closed[which]

    def _reckon_on(
        self, device: KnownDevice, meter: _Meter, new: Sequence[tuple[str, int, int]], noted: Sequence[str]
    ) -> _Reckoned | None:
        if not new or meter.progress is None:
            return None
        before = unpack(Progress, meter.progress)
        reached = advance(device.plan, before, [_reading(*row) for row in new])
        if reached is None:
            return None
        changed = [_entry(device.plan, p) for p in reached if _is_news(p, before)]
        return _Reckoned(changed, noted, reached[-1])

    def _derive(self, device: KnownDevice, noted: Sequence[str]) -> _Reckoned:
        if not noted:
            return _Reckoned([], [], None)
        plan = device.plan
        readings = readings_of(self.session, device, window(plan, noted[0])[0], window(plan, noted[-1])[1])
        query = select(EcoMonth.month, EcoMonth.entry).where(
            EcoMonth.device == device.device, EcoMonth.month.in_(noted)
        )
        recorded = {month: msgspec.convert(entry, MonthEntry) for month, entry in self.session.execute(query)}
        changed: list[MonthEntry] = []
        derived: list[MonthTotals] = []
        measured = _months_measured(readings)
        for month in noted:
            if month in recorded or month in measured:
                derived.append(derive(plan, month, readings))
                entry = entry_of(derived[-1])
                says_something = month in recorded or entry.covered > 0 or entry.quarantined > 0
                if says_something and entry != recorded.get(month):
                    changed.append(entry)
        latest_ms = max((reading.end_ms for reading in readings), default=0)
        told = [month for month in derived if month.month in measured]
        is_newest = not _has_after(self.session, device, window(plan, noted[-1])[1])
        return _Reckoned(changed, noted, progress_of(told, latest_ms) if is_newest else None)


def _is_news(progress: Progress, before: Progress) -> bool:
    """Whether the month is other than the chain has it, or will have it once what is on its way is there."""
    if progress.month == before.month:
        return not progress.counts_as(before)
    return progress.covered > 0


def _entry(plan: Plan, progress: Progress) -> MonthEntry:
    begins_ms, ends_ms = month_start_ms(progress.month), month_start_ms(next_month(progress.month))
    expected = (ends_ms - begins_ms) // plan.interval_ms
    return MonthEntry(progress.month, progress.totals, progress.covered, expected, quarantined=progress.quarantined)


def entry_of(month: MonthTotals) -> MonthEntry:
    return MonthEntry(
        month.month, dict(month.totals), month.covered, month.expected, quarantined=month.quarantined_intervals
    )


def _months_measured(readings: Sequence[Reading]) -> frozenset[str]:
    """The months in which readings end."""
    days = {(reading.end_ms - 1) // DAY_PART_MS for reading in readings}
    return frozenset(month_of(day * DAY_PART_MS) for day in days)


def _reading(channel: str, end_ms: int, value: int) -> Reading:
    return Reading(channel, end_ms, None if value == NO_DATA else value)


def _new_readings(session: Session, devices: Collection[str]) -> dict[str, list[tuple[str, int, int]]]:
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    query = (
        select(EcoReading.device, EcoReading.channel, EcoReading.end_ms, EcoReading.value)
        .where(EcoReading.device.in_(devices), EcoReading.batch_id.is_(None))
        .order_by(EcoReading.device, EcoReading.channel, EcoReading.end_ms)
    )
    for device, channel, end_ms, value in session.execute(query):
        found[device].append((channel, end_ms, value))
    return found


def _has_after(session: Session, device: KnownDevice, moment_ms: int) -> bool:
    channels = [meter.channel for meter in device.plan.meters]
    is_later = (EcoReading.device == device.device, EcoReading.channel.in_(channels), EcoReading.end_ms > moment_ms)
    return session.scalar(select(EcoReading.end_ms).where(*is_later).limit(1)) is not None


def _noted_months(session: Session, devices: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    query = select(EcoChanged.device, EcoChanged.month).where(EcoChanged.device.in_(devices))
    for device, month in session.execute(query.order_by(EcoChanged.device, EcoChanged.month)):
        found[device].append(month)
    return found


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
