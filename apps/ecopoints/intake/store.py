"""Readings into the database: the first value stays, the same again is nothing, another one is a kept conflict."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, func, inspect, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from apps.common.database import Base
from apps.ecopoints.intake.registry import KnownDevice
from apps.ecopoints.intake.tables import EcoChanged, EcoConflict, EcoMeter, EcoReading, EcoReview
from contracts.ecopoints.metering import months_touched

KEYS_TOGETHER = 300
MAX_CONFLICTS = 4
"""Other values kept for one reading: enough to see that a device lies."""

T = TypeVar("T")
Key = tuple[str, str, int]
"""Device, channel, end of the interval."""


@dataclass(frozen=True, slots=True)
class RawReading:
    device: str
    channel: str
    end_ms: int
    value: int
    """`NO_DATA` if the device has none."""

    @property
    def key(self) -> Key:
        return self.device, self.channel, self.end_ms


@dataclass(frozen=True, slots=True)
class Kept:
    """What was new of some readings: the keys that had no value yet, and the readings that contradict one."""

    new: frozenset[Key]
    conflicts: frozenset[RawReading]


def keep(
    session: Session, readings: Sequence[RawReading], devices: Mapping[str, KnownDevice], now_ms: int, *, manual: bool
) -> Kept:
    """Store readings of `devices`, in the caller's transaction; 10,000 in a fraction of a second."""
    first: dict[Key, RawReading] = {}
    for reading in readings:
        first.setdefault(reading.key, reading)
    rows = [
        {
            "device": r.device, "channel": r.channel, "end_ms": r.end_ms, "value": r.value,
            "manual": manual, "conflict": False, "received_ms": now_ms,
        }
        for r in first.values()
    ]  # fmt: skip
    added = insert_new(session, EcoReading, rows, EcoReading.device, EcoReading.channel, EcoReading.end_ms)
    new = frozenset((device, channel, end_ms) for device, channel, end_ms in added)
    stored = {key: first[key].value for key in new} | values_of(session, [key for key in first if key not in new])
    conflicts = _keep_conflicts(session, [r for r in readings if r.value != stored[r.key]], now_ms)
    note_changed(session, devices, {(key[0], key[2]) for key in new} | {(r.device, r.end_ms) for r in conflicts})
    return Kept(new, conflicts)


def insert_new(
    session: Session, table: type[Base], rows: list[dict[str, object]], *returning: object
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Insert the rows that are not there yet (by primary key); the `returning` columns of those that were not."""
    if not rows:
        return []
    # Past the ORM, which has nothing to add to rows like these and takes half the time.
    insert = _insert(session, table).on_conflict_do_nothing().returning(*returning)  # type: ignore[call-overload]
    return session.connection().execute(insert, rows).all()


def _insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    core = Base.metadata.tables[table.__tablename__]
    return sqlite.insert(core) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(core)


def write_over(session: Session, table: type[Base], rows: list[dict[str, object]], *changing: str) -> None:
    """Insert rows; of those that are there (by primary key), the columns `changing` become what the rows say."""
    if not rows:
        return
    insert = _insert(session, table)
    changed = {name: insert.excluded[name] for name in changing}
    statement = insert.on_conflict_do_update(index_elements=list(inspect(table).primary_key), set_=changed)
    session.connection().execute(statement, rows)


def values_of(session: Session, keys: Sequence[Key]) -> dict[Key, int]:
    """The values that are stored for these keys."""
    columns = (EcoReading.device, EcoReading.channel, EcoReading.end_ms)
    found: dict[Key, int] = {}
    for part in _parts(keys):
        query = select(*columns, EcoReading.value).where(tuple_(*columns).in_(part))
        found |= {(device, channel, end_ms): value for device, channel, end_ms, value in session.execute(query)}
    return found


def _parts(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(keys), KEYS_TOGETHER):
        yield keys[start : start + KEYS_TOGETHER]


def _keep_conflicts(session: Session, others: Sequence[RawReading], now_ms: int) -> frozenset[RawReading]:
    """The readings among `others` that were not known as conflicts yet."""
    kept: set[RawReading] = set()
    for other in dict.fromkeys(others):
        at = (EcoConflict.device == other.device, EcoConflict.channel == other.channel)
        count = select(func.count()).select_from(EcoConflict).where(*at, EcoConflict.end_ms == other.end_ms)
        if (session.scalar(count) or 0) >= MAX_CONFLICTS:
            continue
        row: dict[str, object] = {
            "device": other.device, "channel": other.channel, "end_ms": other.end_ms, "value": other.value,
            "received_ms": now_ms,
        }  # fmt: skip
        if insert_new(session, EcoConflict, [row], EcoConflict.value):
            kept.add(other)
            session.execute(update(EcoReading).where(*_is(other.key)).values(conflict=True))
    derive_anew(session, {other.device for other in kept})
    return frozenset(kept)


def derive_anew(session: Session, devices: Collection[str]) -> None:
    """Something other than further readings has changed what these devices measured: nothing is reckoned on."""
    for part in _parts(sorted(devices)):
        session.execute(update(EcoMeter).where(EcoMeter.device.in_(part)).values(progress=None))


def _is(key: Key) -> tuple[ColumnElement[bool], ...]:
    return EcoReading.device == key[0], EcoReading.channel == key[1], EcoReading.end_ms == key[2]


def note_changed(session: Session, devices: Mapping[str, KnownDevice], moments: Collection[tuple[str, int]]) -> None:
    """Months of devices that a reading at a moment can change are to be reckoned again."""
    plans = {device: known.plan for device, known in devices.items()}
    months: dict[tuple[int, int], tuple[str, ...]] = {}
    changed: dict[tuple[str, str], None] = {}
    for device, end_ms in moments:
        plan = plans[device]
        touched = months.get((plan.interval_ms, end_ms))
        if touched is None:
            touched = months[plan.interval_ms, end_ms] = months_touched(plan, end_ms)
        changed |= dict.fromkeys((device, month) for month in touched)
    rows: list[dict[str, object]] = [{"device": device, "month": month} for device, month in changed]
    insert_new(session, EcoChanged, rows, EcoChanged.month)


def note_review(session: Session, device: KnownDevice, channel: str, end_ms: int, *, released: bool) -> None:
    """E4f: the copy of the chain calls this for `reading_released` and `reading_rejected`; again is harmless."""
    session.merge(EcoReview(device=device.device, channel=channel, end_ms=end_ms, released=released))
    derive_anew(session, {device.device})
    note_changed(session, {device.device: device}, {(device.device, end_ms)})
