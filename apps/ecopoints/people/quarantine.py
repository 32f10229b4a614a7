"""Readings that are not believed: why, what they would have brought, and an officer's decision with a reason (E4f)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.language import jst
from apps.common.web import Flash, View, Visit
from apps.ecopoints.copy import own_writes
from apps.ecopoints.intake.planning import readings_of
from apps.ecopoints.intake.tables import EcoConflict, EcoReading, EcoReview
from apps.ecopoints.people.amounts import UNITS, show_amount
from apps.ecopoints.people.looking import device_label, note_look, plates_of, seen_device
from apps.ecopoints.people.tables import EcoPlate
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import OFFICERS, READERS, officer_call
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow
from contracts.ecopoints.metering import Quarantined, derive, window
from contracts.ecopoints.methodology import month_of, month_start_ms, next_month
from contracts.ecopoints.registers import Doubt
from ledger.encoding import Value

REVIEW = "reading.review"
PAGE_ROWS = 10
"""The reasons of each are reckoned anew from its readings."""
MAX_MONTHS = 1_000
MAX_TOGETHER = 100
MONTH_ROWS = 200
WHYS = {
    "release": ("checked_meter", "meter_replaced", "checked_with_member", "known_event"),
    "reject": ("not_plausible", "tampered", "meter_fault", "not_explained"),
}


@dataclass(frozen=True)
class ReviewForm:
    readings: tuple[str, ...] = forms.several(required=True)
    decision: str = forms.radio()
    why: str = forms.choice()


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A reading in quarantine. `values`: what arrived, the first one counts if it is released."""

    quarantined: Quarantined
    values: Sequence[int | None]
    rejected: bool

    @property
    def key(self) -> str:
        return f"{self.quarantined.channel}/{self.quarantined.end_ms}"

    @property
    def can_be_decided(self) -> bool:
        """Of a reading without a value there is nothing to release."""
        return not self.rejected and self.quarantined.doubt not in (Doubt.NO_DATA, Doubt.OFF_GRID)


@dataclass(frozen=True, slots=True)
class DoubtfulMonth:
    """A device's month with readings in quarantine, and how many for which reason."""

    device: DeviceRow
    month: str
    waiting: int
    reasons: Mapping[Doubt, int]


def doubtful_readings(session: Session, device: DeviceRow, month: str) -> list[Doubtful]:
    """The month's readings in quarantine, reckoned from what is stored."""
    known = CopiedRegistry().devices(session, [device.device])[device.device]
    derived = derive(known.plan, month, readings_of(session, known, *window(known.plan, month)))
    first, last = month_start_ms(month), month_start_ms(next_month(month))
    values: dict[tuple[str, int], list[int | None]] = defaultdict(list)
    for table in (EcoReading, EcoConflict):
        rows = session.execute(
            select(table.channel, table.end_ms, table.value).where(
                table.device == device.device, table.end_ms > first, table.end_ms <= last
            )
        )
        for channel, end_ms, value in rows:
            values[channel, end_ms].append(None if value < 0 else value)
    rejected = _rejected(session, [device.device])
    return [
        Doubtful(q, values[q.channel, q.end_ms], (device.device, q.channel, q.end_ms) in rejected)
        for q in derived.quarantined
    ]


def _rejected(session: Session, devices: Sequence[str]) -> set[tuple[str, str, int]]:
    rows = select(EcoReview.device, EcoReview.channel, EcoReview.end_ms)
    found = session.execute(rows.where(EcoReview.device.in_(devices), EcoReview.released.is_(False)))
    return {(device, channel, end_ms) for device, channel, end_ms in found}


# -- the list ----------------------------------------------------------------------------------------------------------


def _months(session: Session, municipality: str, *, everything: bool) -> list[tuple[DeviceRow, str]]:
    """The latest months first; those in which all is decided only with `everything`."""
    query = (
        select(DeviceRow, DeviceMonthRow.month, DeviceMonthRow.quarantined)
        .join(DeviceMonthRow, DeviceMonthRow.device == DeviceRow.device)
        .where(DeviceRow.municipality == municipality, DeviceMonthRow.quarantined > 0)
        .order_by(DeviceMonthRow.month.desc(), DeviceRow.device)
        .limit(MAX_MONTHS)
    )
    found = [(device, month, count) for device, month, count in session.execute(query)]
    decided: Counter[tuple[str, str]] = Counter()
    ends = {(d, end_ms) for d, _, end_ms in _rejected(session, [device.device for device, _, _ in found])}
    for device_id, end_ms in ends:
        decided[device_id, month_of(end_ms - 1)] += 1
    return [(device, month) for device, month, count in found if everything or decided[device.device, month] < count]


def _counted(session: Session, device: DeviceRow, month: str) -> DoubtfulMonth:
    doubts = doubtful_readings(session, device, month)
    reasons = Counter(doubtful.quarantined.doubt for doubtful in doubts)
    return DoubtfulMonth(device, month, sum(d.can_be_decided for d in doubts), reasons)


async def show_quarantine(visit: Visit) -> web.StreamResponse:
    """The municipality's devices' months with readings that do not count, and why."""
    await own_writes(visit)
    municipality, page, everything = visit.signed_in.organisation, visit.page_number(), visit.query("all", 1) == "1"

    def look(session: Session) -> tuple[list[DoubtfulMonth], int, Mapping[str, str]]:
        months = _months(session, municipality, everything=everything)
        shown = months[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
        plates = plates_of(session, [device.member for device, _ in shown])
        labels = {d.device: device_label(visit, d, plates.get((d.member, d.serial))) for d, _ in shown}
        return [_counted(session, device, month) for device, month in shown], len(months), labels

    months, count, labels = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/people/quarantine.html", months=months, count=count, page=page, page_rows=PAGE_ROWS, labels=labels,
        everything=everything,
    )  # fmt: skip


# -- one month, and the decision ---------------------------------------------------------------------------------------


async def _device_month(visit: Visit) -> tuple[DeviceRow, str, list[Doubtful], EcoPlate | None]:
    device, month = await seen_device(visit), visit.part("month")[:7]

    def look(session: Session) -> tuple[list[Doubtful], EcoPlate | None]:
        if session.get(DeviceMonthRow, (device.device, month)) is None:
            raise web.HTTPNotFound
        return doubtful_readings(session, device, month), session.get(EcoPlate, (device.member, device.serial))

    doubts, plate = await visit.kit.database.read(look)
    return device, month, doubts, plate


async def _context(visit: Visit) -> Mapping[str, object]:
    device, month, doubts, plate = await _device_month(visit)
    await note_look(visit, "device", device.member, device.device)
    return {
        "device": device, "month": month, "label": device_label(visit, device, plate),
        "doubts": doubts[:MONTH_ROWS], "more": max(0, len(doubts) - MONTH_ROWS), "say": Words(visit),
        "can_decide": visit.may_open("quarantine_review") and any(d.can_be_decided for d in doubts),
    }  # fmt: skip


class Words:
    """Words for a reading in doubt, for template and form alike."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def when(self, doubtful: Doubtful) -> str:
        return f"{jst(doubtful.quarantined.end_ms):%Y-%m-%d %H:%M}"

    def channel(self, doubtful: Doubtful) -> str:
        return self._visit.t(f"channel_value.{doubtful.quarantined.channel}")

    def amount(self, doubtful: Doubtful) -> str:
        """What the interval would have brought."""
        amount = doubtful.quarantined.amount
        return "–" if amount is None else f"{show_amount(amount)} {UNITS[doubtful.quarantined.channel]}"

    def values(self, doubtful: Doubtful) -> str:
        unit = UNITS[doubtful.quarantined.channel]
        return " / ".join("–" if value is None else f"{show_amount(value)} {unit}" for value in doubtful.values)

    def doubt(self, doubt: Doubt) -> str:
        return doubt.text(self._visit.language, {})


async def show_month(visit: Visit) -> web.StreamResponse:
    return visit.render("ecopoints/people/quarantine_month.html", status=200, **await _context(visit))


async def _options(visit: Visit) -> Options:
    _, _, doubts, _ = await _device_month(visit)
    say = Words(visit)
    return {
        "readings": [
            Option(d.key, f"{say.when(d)} {say.channel(d)} {say.values(d)}", say.doubt(d.quarantined.doubt))
            for d in doubts
            if d.can_be_decided
        ][:MAX_TOGETHER],
        "decision": [Option(name, visit.t(f"review.{name}"), visit.t(f"review.{name}_hint")) for name in WHYS],
        "why": [Option(why, visit.t(f"why_value.{why}")) for whys in WHYS.values() for why in whys],
    }


async def _check(visit: Visit, value: ReviewForm) -> Mapping[str, Problem]:
    return {} if value.why in WHYS[value.decision] else {"why": Problem("quarantine_review.other_why")}


def _decide(session: Session, visit: Visit, value: ReviewForm) -> Outcome:
    device, month = visit.part("device"), visit.part("month")
    if not value.readings:
        raise FormRefused({"readings": Problem("form.choose")})
    write = None
    for key in value.readings:
        channel, _, end_ms = key.partition("/")
        arguments: dict[str, Value] = {
            "device": device, "channel": channel, "interval_end_ms": int(end_ms), "why": value.why
        }  # fmt: skip
        call = officer_call(visit.signed_in, f"{value.decision}_reading", arguments)
        write = visit.kit.outbox.put(session, REVIEW, call, reference=f"device:{device}/{month}", user=visit.user)
    location = visit.kit.path("quarantine_month", device=device, month=month)
    return Outcome(location, Flash(f"quarantine_review.{value.decision}_done", {"count": len(value.readings)}), write)


PAGES = (
    View("quarantine", "/quarantine", show_quarantine, READERS),
    View("quarantine_month", "/quarantine/{device}/{month}", show_month, READERS),
    FormPage(
        "quarantine_review", "/quarantine/{device}/{month}/review", OFFICERS, ReviewForm, _decide, options=_options,
        check=_check, context=_context, template="ecopoints/people/about_quarantine.html",
    ),
)  # fmt: skip
