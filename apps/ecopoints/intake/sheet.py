"""E3b: a member's own table of readings (CSV or XLSX), for devices that cannot report: looked at first, stored after.

Every wrong cell is named by row and column, and a file with one is not stored at all. Blank is not zero. The same file
twice is nothing. Devices that report by themselves are not among the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.forms import Option, Problem, Upload
from apps.common.sheets import CellProblem, import_table
from apps.ecopoints.intake.registry import KnownDevice
from apps.ecopoints.intake.store import Kept, Key, RawReading, keep, values_of
from apps.ecopoints.intake.taking import CLOCK_AHEAD_MS, MAX_AGE_DAYS
from contracts.ecopoints.methodology.calendar import DAY_MS, JST_MS


@dataclass(frozen=True)
class ManualReading:
    """A row. Labels: `manual_reading.<field>`."""

    device: str = forms.choice()
    channel: str = forms.text(max_length=32, pattern="[a-z][a-z_]*")
    at: datetime = forms.moment()
    value: int = forms.number(maximum=10**14)

    @property
    def raw(self) -> RawReading:
        return RawReading(self.device, self.channel, round(self.at.timestamp()) * 1_000, self.value)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds: `new` would be stored, `known` are there already; with problems nothing is stored."""

    new: tuple[RawReading, ...]
    known: int
    problems: tuple[CellProblem, ...]


def options(devices: Mapping[str, KnownDevice], names: Mapping[str, str]) -> dict[str, Sequence[Option]]:
    """The devices for which a member may enter values, by the member's own names of them."""
    by_hand = (device for device, known in sorted(devices.items()) if not known.key)
    return {"device": [Option(device, names.get(device, device)) for device in by_hand]}


def look(
    session: Session,
    upload: Upload,
    devices: Mapping[str, KnownDevice],
    names: Mapping[str, str],
    labels: Callable[[str], Sequence[str]],
    now_ms: int,
) -> Sheet:
    """The dry run. `Refused(SheetReason)` if the file is no table."""
    imported = import_table(upload, ManualReading, labels, options(devices, names))
    problems = list(imported.problems)
    fresh: dict[Key, RawReading] = {}
    known = 0
    there = values_of(session, list(dict.fromkeys(row.raw.key for _, row in imported.rows)))
    for number, row in imported.rows:
        raw = row.raw
        found = list(_problems(raw, devices[row.device], now_ms))
        stored = fresh[raw.key].value if raw.key in fresh else there.get(raw.key)
        if stored is not None and stored != raw.value:
            found.append(("value", Problem("intake.contradicts", {"value": stored})))
        problems += [CellProblem(number, labels(field)[0], problem) for field, problem in found]
        if stored is not None:
            known += 1
        elif not found:
            fresh[raw.key] = raw
    return Sheet(tuple(fresh.values()), known, tuple(sorted(problems, key=lambda p: p.row)))


def _problems(raw: RawReading, device: KnownDevice, now_ms: int) -> Iterator[tuple[str, Problem]]:
    plan = device.plan
    if raw.channel not in {meter.channel for meter in plan.meters}:
        yield "channel", Problem("intake.no_channel")
    if raw.end_ms > now_ms + CLOCK_AHEAD_MS:
        yield "at", Problem("intake.in_future")
    if raw.end_ms < now_ms - MAX_AGE_DAYS * DAY_MS:
        yield "at", Problem("intake.too_old", {"days": MAX_AGE_DAYS})
    if (raw.end_ms + JST_MS) % plan.interval_ms:
        yield "at", Problem("intake.off_grid", {"minutes": plan.interval_ms // 60_000})


def keep_sheet(session: Session, sheet: Sheet, devices: Mapping[str, KnownDevice], now_ms: int) -> Kept:
    """Store what `look` found in the same transaction, marked as entered by hand. ValueError while it has problems."""
    if sheet.problems:
        raise ValueError("a file with wrong cells is not stored")
    return keep(session, sheet.new, devices, now_ms, manual=True)
