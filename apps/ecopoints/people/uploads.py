"""A member's own table (CSV or XLSX): looked at first, every wrong cell named, entered on a second word (E3b).

Two kinds: values by month as a statement says them, and readings of a meter at its intervals. The same file twice is
nothing; a blank is not a zero; a file with a wrong cell is not entered at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms, sheets
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem, Upload
from apps.common.language import jst
from apps.common.sheets import CellProblem, import_table
from apps.common.web import Flash, View, Visit
from apps.ecopoints.intake import sheet
from apps.ecopoints.people.amounts import UNITS, channels_of, read_amount, show_amount
from apps.ecopoints.people.looking import NamedDevice, active_member, may_see, named_devices, note_look
from apps.ecopoints.people.tables import EcoUpload
from apps.ecopoints.people.values import Entry, Ledger, enter, ledger_of, sold_too_much
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import MEMBERS, OFFICERS
from apps.ecopoints.tables import DeviceRow, MemberRow
from contracts.ecopoints.methodology import month_after, month_of, months_between
from ledger.refusal import Refused

WHATS = ("months", "readings")
MAX_BYTES = 1_000_000
MAX_ENTRIES = 500
MAX_PROBLEMS = 100
SHOWN_ROWS = 60
MONTH = re.compile(r"(20[0-9]{2})[-/.年]?(0?[1-9]|1[0-2])月?")


@dataclass(frozen=True)
class UploadForm:
    what: str = forms.radio()
    table: Upload | None = forms.file(maximum=MAX_BYTES, accept=".csv,.xlsx")


@dataclass(frozen=True)
class MonthLine:
    """A row of values by month. Labels: `month_line.<field>`."""

    device: str = forms.choice()
    month: str = forms.text(max_length=12)
    channel: str = forms.choice()
    amount: str = forms.text(required=False, max_length=14)
    estimated: bool = forms.tick()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file holds: `lines` would be entered, `known` are there already; with problems nothing is entered."""

    lines: Sequence[tuple[str, str, str, str]]
    """Device, when, channel and amount in words."""
    known: int
    blank: int
    problems: Sequence[tuple[int, str, str]]
    """Row, column, what is wrong."""
    entries: Sequence[Entry]
    sheet: sheet.Sheet | None


# -- reading a file ----------------------------------------------------------------------------------------------------


def _labels(visit: Visit, prefix: str) -> Callable[[str], Sequence[str]]:
    def labels(name: str) -> Sequence[str]:
        text = visit.kit.catalogue.texts[f"{prefix}.{name}"]
        return (visit.t(f"{prefix}.{name}"), text.ja, text.en)

    return labels


def look_at(session: Session, visit: Visit, member: str, what: str, upload: Upload) -> Looked:
    """The dry run. `Refused(SheetReason)` if the file is no table."""
    devices = [d for d in named_devices(session, visit, member) if d.row.retired_ms is None]
    return (
        _months(session, visit, devices, upload)
        if what == "months"
        else _readings(session, visit, devices, upload)
    )  # fmt: skip


def _channel_options(visit: Visit) -> list[Option]:
    return [Option(channel, visit.t(f"channel_value.{channel}")) for channel in UNITS]


def _months(session: Session, visit: Visit, devices: Sequence[NamedDevice], upload: Upload) -> Looked:
    labels = _labels(visit, "month_line")
    options = {"device": [Option(d.row.device, d.label) for d in devices], "channel": _channel_options(visit)}
    imported = import_table(upload, MonthLine, labels, options)
    problems = list(imported.problems)
    months = sorted({m for _, line in imported.rows if (m := _month(line.month))})
    ledgers = {d.row.device: ledger_of(session, d.row, months) for d in devices}
    entries: dict[tuple[str, str, str], Entry] = {}
    known = blank = 0
    for number, line in imported.rows:
        entry, problem = _entry(visit, line, ledgers)
        if problem is not None:
            problems.append(CellProblem(number, labels(problem[0])[0], problem[1]))
        elif entry is None:
            blank += 1
        else:
            key = (entry.device, entry.month, entry.channel)
            if entries.get(key, entry) != entry:
                problems.append(CellProblem(number, labels("amount")[0], Problem("upload.twice")))
            elif ledgers[entry.device].is_known(entry) or key in entries:
                known += 1
            else:
                entries[key] = entry
    problems += _too_much_sold(imported.rows, entries, ledgers, labels)
    if len(entries) > MAX_ENTRIES:
        problems.append(CellProblem(0, "", Problem("upload.too_many", {"limit": MAX_ENTRIES})))
    names = {d.row.device: d.label for d in devices}
    lines = [
        (names[e.device], e.month, visit.t(f"channel_value.{e.channel}"), f"{show_amount(e.amount)} {UNITS[e.channel]}")
        for e in entries.values()
    ]
    return Looked(lines, known, blank, _told(visit, problems), list(entries.values()), None)


def _month(typed: str) -> str:
    """`2026/4`, `2026年4月` and a date that a spreadsheet made of it -> `2026-04`; empty if it is no month."""
    plain = unicodedata.normalize("NFKC", typed).strip()
    found = MONTH.fullmatch(plain.removesuffix("-01") if plain.count("-") == 2 else plain)
    return f"{found[1]}-{int(found[2]):02d}" if found else ""


def _entry(
    visit: Visit, line: MonthLine, ledgers: Mapping[str, Ledger]
) -> tuple[Entry | None, tuple[str, Problem] | None]:
    """What the row enters, or what is wrong with it; neither if its amount is blank."""
    month = _month(line.month)
    if not month:
        return None, ("month", Problem("upload.no_month"))
    if month > month_of(visit.now_ms):
        return None, ("month", Problem("intake.in_future"))
    if not line.amount:
        return None, None
    amount = read_amount(line.amount)
    if amount is None:
        return None, ("amount", Problem("enter.no_amount"))
    wrong = ledgers[line.device].problem(month, line.channel)
    if wrong is not None:
        return None, ("month" if wrong.key == "enter.closed" else "channel", wrong)
    return Entry(line.device, month, line.channel, amount, line.estimated), None


def _too_much_sold(
    rows: Sequence[tuple[int, MonthLine]], entries: Mapping[tuple[str, str, str], Entry],
    ledgers: Mapping[str, Ledger], labels: Callable[[str], Sequence[str]],
) -> list[CellProblem]:  # fmt: skip
    """E2d, over the file as a whole: a plant's month may be in several rows."""
    together: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for entry in entries.values():
        together[entry.device, entry.month][entry.channel] = entry.amount
    wrong = {at for at, amounts in together.items() if sold_too_much(ledgers[at[0]], at[1], amounts)}
    return [
        CellProblem(number, labels("amount")[0], Problem("enter.sold_too_much"))
        for number, line in rows
        if (line.device, _month(line.month)) in wrong and line.channel == "sold" and line.amount
    ]


def _readings(session: Session, visit: Visit, devices: Sequence[NamedDevice], upload: Upload) -> Looked:
    names = {d.row.device: d.label for d in devices}
    known_devices = CopiedRegistry().devices(session, set(names))
    found = sheet.look(
        session, upload, known_devices, names, _labels(visit, "manual_reading"), visit.now_ms
    )  # fmt: skip
    lines = [
        (names[r.device], f"{jst(r.end_ms):%Y-%m-%d %H:%M}", visit.t(f"channel_value.{r.channel}"),
         f"{show_amount(r.value)} {UNITS[r.channel]}")
        for r in found.new
    ]  # fmt: skip
    return Looked(lines, found.known, 0, _told(visit, found.problems), (), found)


def _told(visit: Visit, problems: Sequence[CellProblem]) -> list[tuple[int, str, str]]:
    told = [(p.row, p.column, visit.t(p.problem.key, **p.problem.params)) for p in problems]
    return sorted(told)[:MAX_PROBLEMS]


# -- the pages ---------------------------------------------------------------------------------------------------------


async def _context(visit: Visit) -> Mapping[str, object]:
    member = await active_member(visit)
    await note_look(visit, "member", member.member)
    return {"member": member}


async def _options(visit: Visit) -> Options:
    return {"what": [Option(w, visit.t(f"upload.{w}"), visit.t(f"upload.{w}_hint")) for w in WHATS]}


async def _check(visit: Visit, value: UploadForm) -> Mapping[str, Problem]:
    member, table = visit.part("member"), value.table
    if table is None:
        return {"table": Problem("form.file_needed")}
    try:
        looked = await visit.kit.database.read(lambda session: look_at(session, visit, member, value.what, table))
    except Refused as refused:
        reason = refused.reason.text(visit.language, refused.params)
        return {"table": Problem("upload.unreadable", {"reason": reason})}
    if not looked.problems:
        return {}
    visit.noted["import_problems"] = looked.problems
    return {"table": Problem("upload.wrong", {"count": len(looked.problems)})}


def _take(session: Session, visit: Visit, value: UploadForm) -> Outcome:
    """The file waits for its sender's second word; nothing is entered yet."""
    if value.table is None:
        raise FormRefused({"table": Problem("form.file_needed")})
    row = EcoUpload(
        member=visit.part("member"), what=value.what, name=value.table.name, data=value.table.data, entered=False,
        created_ms=visit.now_ms,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return Outcome(visit.kit.path("upload_look", upload=row.id))


def _own_upload(session: Session, visit: Visit) -> tuple[EcoUpload, MemberRow]:
    part = visit.part("upload")
    row = session.get(EcoUpload, int(part)) if part.isascii() and part.isdecimal() and len(part) < 12 else None
    member = session.get(MemberRow, row.member) if row is not None else None
    if row is None or member is None or member.left_ms is not None:
        raise web.HTTPNotFound
    if not may_see(visit.signed_in, member.member, member.municipality):
        raise web.HTTPNotFound
    return row, member


async def look_or_enter(visit: Visit) -> web.StreamResponse:
    """GET: what the file would enter. POST: it is entered, once."""

    def look(session: Session) -> tuple[EcoUpload, MemberRow, Looked]:
        row, member = _own_upload(session, visit)
        return row, member, look_at(session, visit, member.member, row.what, Upload(row.name, "", row.data))

    row, member, looked = await visit.kit.database.read(look)
    await note_look(visit, "member", member.member)
    if visit.request.method != "POST":
        return visit.render("ecopoints/people/upload_look.html", upload=row, looked=looked, rows=SHOWN_ROWS)
    entered = await visit.kit.database.write(lambda session: _enter(session, visit))
    visit.kit.outbox.wake()
    back = visit.kit.path("entries", member=member.member)
    return visit.redirect(back, Flash("upload.entered", {"count": entered}))


def _enter(session: Session, visit: Visit) -> int:
    """How many values are new: the chain and the intake say later what came of each."""
    row, member = _own_upload(session, visit)
    looked = look_at(session, visit, member.member, row.what, Upload(row.name, "", row.data))
    if row.entered or looked.problems:
        return 0
    row.entered = True
    if looked.sheet is not None:
        devices = CopiedRegistry().devices(session, {reading.device for reading in looked.sheet.new})
        sheet.keep_sheet(session, looked.sheet, devices, visit.now_ms)
        return len(looked.sheet.new)
    for entry in looked.entries:
        enter(session, visit, session.get_one(DeviceRow, entry.device), entry)
    return len(looked.entries)


async def download_form(visit: Visit) -> web.StreamResponse:
    """A table to fill in: a row for each device, month and value of the last year, the amounts blank."""
    member = await active_member(visit)
    await note_look(visit, "member", member.member)
    devices = await visit.kit.database.read(lambda session: named_devices(session, visit, member.member))
    now = month_of(visit.now_ms)
    rows = [
        [device.label, month, visit.t(f"channel_value.{channel}"), "", ""]
        for device in devices
        if device.row.retired_ms is None
        for month in months_between(month_after(now, -12), month_after(now, -1))
        for channel in channels_of(device.row.kind, device.row.methodology)
    ]
    names = ("device", "month", "channel", "amount", "estimated")
    data = sheets.write_csv([visit.t(f"month_line.{name}") for name in names], rows)
    return visit.download(data, "eco-values.csv", sheets.CSV_TYPE)


PAGES = (
    FormPage(
        "upload", "/members/{member}/upload", MEMBERS | OFFICERS, UploadForm, _take, review=False, options=_options,
        check=_check, context=_context, template="ecopoints/people/upload.html",
    ),
    View("upload_form", "/members/{member}/upload.csv", download_form, MEMBERS | OFFICERS),
    View("upload_look", "/uploads/{upload}", look_or_enter, MEMBERS | OFFICERS, ("GET", "POST")),
)  # fmt: skip
