"""Values by hand, where no device can tell them (E3b, E1b): blank is not zero, and each is marked as manual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.tables import Write
from apps.common.web import Flash, Visit
from apps.ecopoints.people.amounts import channels_of, read_amount
from apps.ecopoints.people.devices import enter_kind
from apps.ecopoints.people.documents import commitment_of
from apps.ecopoints.people.looking import device_in_use, device_label, note_look
from apps.ecopoints.people.tables import EcoDocument, EcoPlate
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import MEMBERS, OFFICERS, app_call
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow
from contracts.ecopoints.methodology import month_after, month_of, months_between
from ledger.encoding import Value

ENTER = "value.enter"
MONTHS_BACK = 36
"""As long as a monitoring period can be."""


def _amount() -> str:
    return forms.text(required=False, max_length=14)


@dataclass(frozen=True)
class _Month:
    month: str = forms.choice()


@dataclass(frozen=True)
class _Basis:
    estimated: bool = forms.tick()
    evidence: str = forms.choice(required=False)


@dataclass(frozen=True)
class _Solar:
    generated: str = _amount()
    sold: str = _amount()


@dataclass(frozen=True)
class _Car:
    distance: str = _amount()
    charged: str = _amount()
    fuel: str = _amount()


@dataclass(frozen=True)
class _Generator:
    delivered: str = _amount()
    fuel: str = _amount()


@dataclass(frozen=True)
class _Meter:
    consumed: str = _amount()


@dataclass(frozen=True)
class SolarMonth(_Basis, _Solar, _Month):
    pass


@dataclass(frozen=True)
class CarMonth(_Basis, _Car, _Month):
    pass


@dataclass(frozen=True)
class GeneratorMonth(_Basis, _Generator, _Month):
    pass


@dataclass(frozen=True)
class MeterMonth(_Basis, _Meter, _Month):
    pass


Month = SolarMonth | CarMonth | GeneratorMonth | MeterMonth


# -- what may be entered, for a form and for a table alike -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One value: thousandths of kWh, km or litres."""

    device: str
    month: str
    channel: str
    amount: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a device's months when values are entered."""

    device: DeviceRow
    rows: Mapping[str, DeviceMonthRow]
    closed: frozenset[str]

    def problem(self, month: str, channel: str) -> Problem | None:
        """Why no value can be entered there; the contract refuses the same."""
        if channel not in channels_of(self.device.kind, self.device.methodology):
            return Problem("intake.no_channel")
        if month in self.closed:
            return Problem("enter.closed", {"month": month})
        row = self.rows.get(month)
        if row is not None and channel in row.totals and channel not in row.manual:
            return Problem("enter.measured")
        return None

    def is_known(self, entry: Entry) -> bool:
        """The same value is there already."""
        row = self.rows.get(entry.month)
        if row is None or entry.channel not in row.manual:
            return False
        same = row.totals.get(entry.channel) == entry.amount
        return same and (entry.channel in row.estimated) == entry.estimated


def ledger_of(session: Session, device: DeviceRow, months: Sequence[str]) -> Ledger:
    query = select(DeviceMonthRow).where(DeviceMonthRow.device == device.device, DeviceMonthRow.month.in_(months))
    registry = CopiedRegistry()
    closed = (m for m in months if registry.is_closed(session, device.methodology, device.municipality, m))
    return Ledger(device, {row.month: row for row in session.scalars(query)}, frozenset(closed))


def sold_too_much(ledger: Ledger, month: str, amounts: Mapping[str, int]) -> bool:
    """E2d: with what is there already and what is entered now."""
    row = ledger.rows.get(month)
    known = {**(row.totals if row is not None else {}), **amounts}
    return "sold" in known and "generated" in known and known["sold"] > known["generated"]


def enter(session: Session, visit: Visit, device: DeviceRow, entry: Entry, evidence: str = "") -> Write:
    arguments: dict[str, Value] = {
        "device": entry.device, "month": entry.month, "channel": entry.channel, "value": entry.amount,
        "evidence": evidence, "estimated": entry.estimated,
    }  # fmt: skip
    call = app_call(device.municipality, "enter_value", arguments)
    reference = f"value:{entry.device}/{entry.month}/{entry.channel}"
    return visit.kit.outbox.put(session, ENTER, call, reference=reference, user=visit.user)


# -- the form ----------------------------------------------------------------------------------------------------------


def _typed(value: Month) -> dict[str, str]:
    """What was typed for each channel, blanks left out: they say nothing."""
    names = [f.name for f in fields(value) if f.name not in ("month", "estimated", "evidence")]
    return {name: typed for name in names if (typed := getattr(value, name))}


def _entries(device: str, value: Month) -> Iterator[Entry]:
    for channel, typed in _typed(value).items():
        amount = read_amount(typed)
        if amount is None:
            raise FormRefused({channel: Problem("enter.no_amount")})
        yield Entry(device, value.month, channel, amount, value.estimated)


async def _options(visit: Visit) -> Options:
    device = await device_in_use(visit)
    now = month_of(visit.now_ms)

    def papers(session: Session) -> Sequence[EcoDocument]:
        rows = select(EcoDocument).where(
            EcoDocument.member == device.member, EcoDocument.device.in_(("", device.device))
        )  # fmt: skip
        return session.scalars(rows.order_by(EcoDocument.uploaded_ms.desc()).limit(50)).all()

    documents = await visit.kit.database.read(papers)
    return {
        "month": [Option(m, m) for m in reversed(months_between(month_after(now, -MONTHS_BACK), now))],
        "evidence": [
            Option(d.document, f"{visit.t(f'kind_value.{d.kind}')} {d.name} {d.document[-6:]}") for d in documents
        ],
    }  # fmt: skip


async def _context(visit: Visit) -> Mapping[str, object]:
    device = await device_in_use(visit)
    if visit.page is None or visit.page.name != f"enter_{enter_kind(device.kind)}":
        raise web.HTTPNotFound
    await note_look(visit, "device", device.member, device.device)
    plate = await visit.kit.database.read(lambda session: session.get(EcoPlate, (device.member, device.serial)))
    return {"device": device, "label": device_label(visit, device, plate), "plate": plate}


async def _check(visit: Visit, value: Month) -> Mapping[str, Problem]:
    device = await device_in_use(visit)
    typed = _typed(value)
    if not typed:
        return {"": Problem("enter.nothing")}
    amounts = {channel: read_amount(text) for channel, text in typed.items()}
    wrong = {channel: Problem("enter.no_amount") for channel, amount in amounts.items() if amount is None}
    ledger = await visit.kit.database.read(lambda session: ledger_of(session, device, [value.month]))
    for channel in amounts:
        problem = ledger.problem(value.month, channel)
        if problem is not None:
            wrong["month" if problem.key == "enter.closed" else channel] = problem
    if not wrong and sold_too_much(ledger, value.month, {c: a for c, a in amounts.items() if a is not None}):
        wrong["sold"] = Problem("enter.sold_too_much")
    return wrong


def _commitment(session: Session, visit: Visit, device: DeviceRow, document_id: str) -> str:
    """The commitment of the document that proves the value; empty if there is none."""
    document = session.get(EcoDocument, document_id) if document_id else None
    if document is None or document.member != device.member:
        return ""
    return commitment_of(session, document)


def _perform(session: Session, visit: Visit, value: Month) -> Outcome:
    device = session.get_one(DeviceRow, visit.part("device"))
    ledger = ledger_of(session, device, [value.month])
    new = [entry for entry in _entries(device.device, value) if not ledger.is_known(entry)]
    evidence = _commitment(session, visit, device, value.evidence)
    writes = [enter(session, visit, device, entry, evidence) for entry in new]
    key = "enter.done" if writes else "enter.known"
    location = visit.kit.path("device", device=device.device)
    return Outcome(location, Flash(key, {"count": len(writes)}), writes[-1] if writes else None)


def _page(kind: str, form: type[Month]) -> FormPage[Month]:
    return FormPage(
        f"enter_{kind}", f"/devices/{{device}}/enter-{kind}", MEMBERS | OFFICERS, form, _perform, options=_options,
        check=_check, context=_context, template="ecopoints/people/about_device.html",
    )  # fmt: skip


PAGES = (
    _page("solar", SolarMonth), _page("car", CarMonth), _page("generator", GeneratorMonth), _page("meter", MeterMonth),
)  # fmt: skip
