"""活動: its end confirmed, reported by whom it was done for, approved by an officer who sees the caps (V5c, V6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.chain import ChainUnavailable
from apps.common.copying import Asker
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.language import jst
from apps.common.outbox import Call
from apps.common.web import Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import COPY, own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import (
    HANDLING,
    Why,
    acting_call,
    minutes_of,
    one_call,
    own_activity,
    own_posting,
)
from apps.volunteers.signing import OFFICERS, officer_call
from apps.volunteers.tables import ActivityRow, ApplicationRow
from contracts.volunteers.queries import DueView
from contracts.volunteers.types import VOLUNTEERS
from ledger.encoding import Value

ABOUT = "volunteers/handling/about_work.html"
STATES = ("reported", "ended", "started", "approved", "rejected", "voided")
PATHS = ("paper", "offline")


@dataclass(frozen=True)
class End:
    """V5c."""

    ended: datetime | None = forms.optional_moment()


@dataclass(frozen=True)
class NewReport:
    """V6a."""

    outcome: str = forms.radio()
    details: str = forms.multiline(max_length=500)


@dataclass(frozen=True)
class Approval:
    """V6b: fewer minutes than from start to end, where not all of it was work."""

    minutes: int = forms.number(minimum=0, maximum=100_000, unit="unit.minutes")


@dataclass(frozen=True)
class Corrected:
    ended: datetime = forms.moment()


@dataclass(frozen=True)
class Entered:
    """V5d: what a paper says, or a note that was kept without a network."""

    path: str = forms.radio()
    started: datetime = forms.moment()
    ended: datetime = forms.moment()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


# -- lists and one activity --------------------------------------------------------------------------------------------


async def show_reports(visit: Visit) -> web.StreamResponse:
    """V6b: the municipality's activities in one state; what is to be approved comes first."""
    await own_writes(visit)
    state, page = visit.query("state", 10), visit.page_number()
    state = state if state in STATES else STATES[0]
    municipality = visit.signed_in.organisation

    def look(session: Session) -> tuple[Sequence[ActivityRow], int]:
        rows = select(ActivityRow).where(ActivityRow.municipality == municipality, ActivityRow.status == state)
        return looking.page_of(session, rows.order_by(ActivityRow.started_ms.desc()), page)

    work, count = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/reports.html", work=work, count=count, page=page, page_rows=looking.PAGE_ROWS,
        state=state, states=STATES, label=words.label, short=looking.short, minutes_of=minutes_of,
    )  # fmt: skip


async def due_of(visit: Visit, work: ActivityRow) -> DueView | None:
    """V6b: what approving would pay and what the caps leave, as the contract says; None while no node answers."""
    asker = Asker(visit.kit.chain, VOLUNTEERS, await visit.kit.database.read(COPY.height))
    try:
        return await asker.one(DueView, "due", {"activity": work.activity})
    except ChainUnavailable:
        return None


async def show_work(visit: Visit) -> web.StreamResponse:
    work = await own_activity(visit)
    is_officer = looking.is_officer(visit.signed_in)
    due = await due_of(visit, work) if is_officer and work.status == "reported" else None
    return visit.render(
        "volunteers/handling/work.html", work=work, due=due, is_officer=is_officer, label=words.label,
        short=looking.short, minutes_of=minutes_of, words=await looking.words_of(visit, work.report),
    )  # fmt: skip


async def _about(visit: Visit) -> Mapping[str, object]:
    work = await own_activity(visit)
    return {"work": work, "label": words.label, "short": looking.short, "minutes_of": minutes_of}


async def _about_approval(visit: Visit) -> Mapping[str, object]:
    context = await _about(visit)
    return {**context, "due": await due_of(visit, await own_activity(visit))}


def _work_page(visit: Visit) -> str:
    return visit.kit.path("work", activity=visit.part("activity"))


# -- the end and the report --------------------------------------------------------------------------------------------


async def _check_end(visit: Visit, value: End) -> Mapping[str, Problem]:
    work = await own_activity(visit)
    ended_ms = visit.now_ms if value.ended is None else _ms(value.ended)
    return {} if work.started_ms < ended_ms <= visit.now_ms else {"ended": Problem("work_end.bad_moment")}


def _end(visit: Visit, value: End) -> Call:
    named: dict[str, Value] = {"activity": visit.part("activity")}
    if value.ended is not None:
        named["occurred_ms"] = _ms(value.ended)
    return acting_call(visit.signed_in, "check_out", named)


async def _outcomes(visit: Visit) -> Options:
    return {"outcome": words.options(visit, "outcome", words.OUTCOMES)}


def _report(session: Session, visit: Visit, value: NewReport) -> Outcome:
    text = words.commit_words(session, visit, "", value.details)
    named = {"activity": visit.part("activity"), "outcome": value.outcome, "text": text}
    call = acting_call(visit.signed_in, "report", named)
    write = visit.kit.outbox.put(session, "report_new", call, reference="report", user=visit.user)
    return Outcome(_work_page(visit), Flash("report_new.done", {}), write)


# -- what officers do --------------------------------------------------------------------------------------------------


async def _elapsed(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"minutes": (str(minutes_of(await own_activity(visit))),)}


async def _check_minutes(visit: Visit, value: Approval) -> Mapping[str, Problem]:
    elapsed = minutes_of(await own_activity(visit))
    return {"minutes": Problem("report_approve.too_many", {"minutes": elapsed})} if value.minutes > elapsed else {}


def _approve(visit: Visit, value: Approval) -> Call:
    named: dict[str, Value] = {"activity": visit.part("activity"), "minutes": value.minutes}
    return officer_call(visit.signed_in, "approve_report", named)


def _with_why(method: str, visit: Visit, value: Why) -> Call:
    return officer_call(visit.signed_in, method, {"activity": visit.part("activity"), "why": value.why})


def _give_back(visit: Visit, value: Why) -> Call:
    return _with_why("return_report", visit, value)


def _reject(visit: Visit, value: Why) -> Call:
    return _with_why("reject_report", visit, value)


def _void(visit: Visit, value: Why) -> Call:
    return _with_why("void_activity", visit, value)


async def _present_end(visit: Visit) -> Mapping[str, Sequence[str]]:
    work = await own_activity(visit)
    return {"ended": (jst(work.ended_ms).strftime("%Y-%m-%dT%H:%M"),) if work.ended_ms is not None else ()}


def _correct(visit: Visit, value: Corrected) -> Call:
    named: dict[str, Value] = {"activity": visit.part("activity"), "ended_ms": _ms(value.ended)}
    return officer_call(visit.signed_in, "correct_end", named)


async def _about_entry(visit: Visit) -> Mapping[str, object]:
    posting = await own_posting(visit)
    key = (posting.posting, visit.part("volunteer")[:64])
    application = await visit.kit.database.read(lambda session: session.get(ApplicationRow, key))
    if application is None:
        raise web.HTTPNotFound
    found = await looking.words_of(visit, posting.detail)
    return {
        "posting": posting, "application": application, "words": found, "label": words.label, "short": looking.short
    }  # fmt: skip


async def _paths(visit: Visit) -> Options:
    return {"path": [Option(path, visit.t(f"path.{path}")) for path in PATHS]}


async def _planned(visit: Visit) -> Mapping[str, Sequence[str]]:
    posting = await own_posting(visit)
    times = [jst(ms).strftime("%Y-%m-%dT%H:%M") for ms in (posting.starts_ms, posting.ends_ms)]
    return {"path": ("paper",), "started": (times[0],), "ended": (times[1],)}


async def _check_entry(visit: Visit, value: Entered) -> Mapping[str, Problem]:
    if _ms(value.started) < _ms(value.ended) <= visit.now_ms:
        return {}
    return {"ended": Problem("work_end.bad_moment")}


def _enter(session: Session, visit: Visit, value: Entered) -> Outcome:
    named: dict[str, Value] = {
        "posting": visit.part("posting"),
        "volunteer": visit.part("volunteer"),
        "path": value.path,
        "started_ms": _ms(value.started),
        "ended_ms": _ms(value.ended),
    }
    call = officer_call(visit.signed_in, "enter_activity", named)
    write = visit.kit.outbox.put(session, "work_enter", call, reference="work", user=visit.user)
    return Outcome("/work/{activity}", Flash("work_enter.done", {}), write)


PAGES = (
    View("reports", "/office/reports", show_reports, OFFICERS),
    View("work", "/work/{activity}", show_work, HANDLING),
    FormPage(
        "work_end", "/work/{activity}/end", HANDLING, End, one_call("work_end", _end, _work_page), check=_check_end,
        context=_about, template=ABOUT,
    ),
    FormPage(
        "report_new", "/work/{activity}/report", HANDLING, NewReport, _report, options=_outcomes, context=_about,
        template=ABOUT,
    ),
    FormPage(
        "report_approve", "/work/{activity}/approve", OFFICERS, Approval,
        one_call("report_approve", _approve, _work_page), initial=_elapsed, check=_check_minutes,
        context=_about_approval, template=ABOUT,
    ),
    FormPage(
        "report_return", "/work/{activity}/return", OFFICERS, Why, one_call("report_return", _give_back, _work_page),
        options=looking.reason_options, context=_about, template=ABOUT,
    ),
    FormPage(
        "report_reject", "/work/{activity}/reject", OFFICERS, Why, one_call("report_reject", _reject, _work_page),
        options=looking.reason_options, context=_about, template=ABOUT,
    ),
    FormPage(
        "end_correct", "/work/{activity}/correct", OFFICERS, Corrected, one_call("end_correct", _correct, _work_page),
        initial=_present_end, context=_about, template=ABOUT,
    ),
    FormPage(
        "work_void", "/work/{activity}/void", OFFICERS, Why, one_call("work_void", _void, _work_page),
        options=looking.reason_options, context=_about, template=ABOUT,
    ),
    FormPage(
        "work_enter", "/manage/{posting}/{volunteer}/enter", OFFICERS, Entered, _enter, options=_paths,
        initial=_planned, check=_check_entry, context=_about_entry,
        template="volunteers/handling/about_posting.html",
    ),
)  # fmt: skip
