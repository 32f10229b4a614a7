"""募集: asked for by facilities and residents, published by officers; who comes, who waits (V3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Call
from apps.common.web import Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import HANDLING, Sure, Why, acting_call, joined, one_call, own_posting
from apps.volunteers.signing import ASKING, FACILITY, OFFICERS, app_call, officer_call, requester_of
from apps.volunteers.tables import ActivityRow, ApplicationRow, PostingRow, VolunteerRow
from contracts.volunteers.types import MAX_POSTING_MS
from ledger.encoding import Value

ABOUT = "volunteers/handling/about_posting.html"
STATES = ("asked", "published", "declined", "cancelled")
LISTED = 200


@dataclass(frozen=True)
class NewHelp:
    """What a facility or resident asks for."""

    subject: str = forms.text(max_length=60)
    kind: str = forms.choice()
    starts: datetime = forms.moment()
    ends: datetime = forms.moment()
    withdraw_until: datetime | None = forms.optional_moment()
    capacity: int = forms.number(minimum=1, maximum=100, unit="unit.people")
    skills: tuple[str, ...] = forms.several()
    place: str = forms.choice()
    address: str = forms.text(required=False, max_length=200)
    details: str = forms.multiline(max_length=500)


@dataclass(frozen=True)
class NewPosting(NewHelp):
    """What an officer publishes: also how places are given, and the shelter to which disaster volunteers go."""

    selection: str = forms.radio()
    shelter: str = forms.text(required=False, max_length=48, pattern="[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Publish:
    selection: str = forms.radio()


@dataclass(frozen=True)
class Capacity:
    capacity: int = forms.number(minimum=1, maximum=100, unit="unit.people")


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


# -- asking and publishing ---------------------------------------------------------------------------------------------


def _selections(visit: Visit) -> list[Option]:
    names = ("first_come", "reviewed")
    return [Option(s, visit.t(f"selection.{s}"), visit.t(f"selection.{s}_hint")) for s in names]


async def wanted_options(visit: Visit) -> Options:
    return {
        "kind": words.options(visit, "kind", words.KINDS),
        "place": words.options(visit, "place", words.PLACES),
        "skills": words.options(visit, "skill", words.SKILLS),
        "selection": _selections(visit),
    }


async def _first(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"capacity": ("1",), "selection": ("first_come",)}


async def _check(visit: Visit, value: NewHelp) -> Mapping[str, Problem]:
    starts_ms, ends_ms = _ms(value.starts), _ms(value.ends)
    problems: dict[str, Problem] = {}
    if starts_ms <= visit.now_ms:
        problems["starts"] = Problem("help_new.past")
    if not starts_ms < ends_ms <= starts_ms + MAX_POSTING_MS:
        problems["ends"] = Problem("help_new.bad_end")
    if value.withdraw_until is not None and _ms(value.withdraw_until) > starts_ms:
        problems["withdraw_until"] = Problem("help_new.late_deadline")
    return problems


def _wanted(session: Session, visit: Visit, value: NewHelp) -> dict[str, Value]:
    starts_ms = _ms(value.starts)
    return {
        "kind": value.kind,
        "place": value.place,
        "starts_ms": starts_ms,
        "ends_ms": _ms(value.ends),
        "withdraw_until_ms": starts_ms if value.withdraw_until is None else _ms(value.withdraw_until),
        "capacity": value.capacity,
        "skills": list(value.skills),
        "detail": words.commit_words(session, visit, value.subject, value.details, value.address),
    }


async def _only_joined(visit: Visit) -> Mapping[str, object]:
    await joined(visit)
    return {}


def _ask(session: Session, visit: Visit, value: NewHelp) -> Outcome:
    user = visit.signed_in
    arguments = {**_wanted(session, visit, value), "requester": requester_of(user)}
    call = app_call(user.organisation, "ask_for_posting", arguments)
    write = visit.kit.outbox.put(session, "help_new", call, reference="help", user=user)
    return Outcome("/manage/{posting}", Flash("help_new.done", {}), write)


def _post(session: Session, visit: Visit, value: NewPosting) -> Outcome:
    user = visit.signed_in
    more = {"selection": value.selection, "shelter": value.shelter}
    call = officer_call(user, "post", {**_wanted(session, visit, value), **more})
    write = visit.kit.outbox.put(session, "posting_new", call, reference="posting", user=user)
    return Outcome("/manage/{posting}", Flash("posting_new.done", {}), write)


# -- registering as somebody who asks ----------------------------------------------------------------------------------


def _join(session: Session, visit: Visit, value: Sure) -> Outcome:
    user = visit.signed_in
    kind = "facility" if FACILITY in user.roles else "resident"
    call = app_call(user.organisation, "register_requester", {"requester": requester_of(user), "kind": kind})
    write = visit.kit.outbox.put(session, "requester_join", call, reference="requester", user=user)
    return Outcome(visit.kit.path("help"), Flash("requester_join.done", {}), write)


# -- lists -------------------------------------------------------------------------------------------------------------


async def show_help(visit: Visit) -> web.StreamResponse:
    """V3b, V6a: what the visitor has asked for, and work that waits for their confirmation or report."""
    requester = await joined(visit)

    def look(session: Session) -> tuple[Sequence[PostingRow], int, Sequence[ActivityRow], Mapping[str, object]]:
        rows = select(PostingRow).where(PostingRow.requester == requester)
        postings, count = looking.page_of(session, rows.order_by(PostingRow.starts_ms.desc()), visit.page_number())
        open_work = ActivityRow.status.in_(("started", "ended"))
        work = select(ActivityRow).where(ActivityRow.requester == requester, open_work)
        waiting = session.scalars(work.order_by(ActivityRow.started_ms).limit(LISTED)).all()
        return postings, count, waiting, words.read_words(session, [p.detail for p in postings])

    postings, count, work, found = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/help.html", postings=postings, count=count, page=visit.page_number(),
        page_rows=looking.PAGE_ROWS, work=work, words=found, label=words.label, short=looking.short,
    )  # fmt: skip


async def show_postings(visit: Visit) -> web.StreamResponse:
    """V3b: the municipality's postings in one state; what is to be checked comes first."""
    await own_writes(visit)
    state = visit.query("state", 10)
    state = state if state in STATES else "asked"
    municipality = visit.signed_in.organisation

    def look(session: Session) -> tuple[Sequence[PostingRow], int, Mapping[str, object]]:
        rows = select(PostingRow).where(PostingRow.municipality == municipality, PostingRow.status == state)
        order = PostingRow.starts_ms if state == "asked" else PostingRow.starts_ms.desc()
        postings, count = looking.page_of(session, rows.order_by(order), visit.page_number())
        return postings, count, words.read_words(session, [p.detail for p in postings])

    postings, count, found = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/postings.html", postings=postings, count=count, page=visit.page_number(), state=state,
        page_rows=looking.PAGE_ROWS, states=STATES, words=found, label=words.label,
    )  # fmt: skip


async def show_posting(visit: Visit) -> web.StreamResponse:
    """V3c to V3e: who comes, who waits and in which order, and what can be done now."""
    posting = await own_posting(visit)

    def look(session: Session) -> tuple[Sequence[ApplicationRow], Mapping[str, VolunteerRow], Mapping[str, str]]:
        rows = select(ApplicationRow).where(ApplicationRow.posting == posting.posting).order_by(ApplicationRow.number)
        applications = session.scalars(rows.limit(2 * LISTED)).all()
        ids = [a.volunteer for a in applications]
        people = session.scalars(select(VolunteerRow).where(VolunteerRow.volunteer.in_(ids))).all()
        work = session.scalars(select(ActivityRow).where(ActivityRow.posting == posting.posting).limit(LISTED)).all()
        return applications, {p.volunteer: p for p in people}, {w.volunteer: w.activity for w in work}

    applications, people, work = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/posting.html", posting=posting, applications=applications, people=people, work=work,
        words=await looking.words_of(visit, posting.detail), label=words.label, short=looking.short,
        is_officer=looking.is_officer(visit.signed_in),
    )  # fmt: skip


# -- what can be done with a posting and with those who applied --------------------------------------------------------


async def _about(visit: Visit) -> Mapping[str, object]:
    posting = await own_posting(visit)
    found = await looking.words_of(visit, posting.detail)
    return {"posting": posting, "words": found, "label": words.label, "short": looking.short}


async def _about_application(visit: Visit) -> Mapping[str, object]:
    context = await _about(visit)
    key = (visit.part("posting")[:48], visit.part("volunteer")[:64])
    application = await visit.kit.database.read(lambda session: session.get(ApplicationRow, key))
    if application is None:
        raise web.HTTPNotFound
    return {**context, "application": application}


async def _publish_options(visit: Visit) -> Options:
    return {"selection": _selections(visit)}


async def _present_capacity(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"capacity": (str((await own_posting(visit)).capacity),)}


def _posting_page(visit: Visit) -> str:
    return visit.kit.path("posting_manage", posting=visit.part("posting"))


def _cancel(visit: Visit, value: Why) -> Call:
    return acting_call(visit.signed_in, "cancel_posting", {"posting": visit.part("posting"), "why": value.why})


def _publish(visit: Visit, value: Publish) -> Call:
    named = {"posting": visit.part("posting"), "selection": value.selection}
    return officer_call(visit.signed_in, "publish_posting", named)


def _decline(visit: Visit, value: Why) -> Call:
    return officer_call(visit.signed_in, "decline_posting", {"posting": visit.part("posting"), "why": value.why})


def _resize(visit: Visit, value: Capacity) -> Call:
    named: dict[str, Value] = {"posting": visit.part("posting"), "capacity": value.capacity}
    return officer_call(visit.signed_in, "change_capacity", named)


def _named(visit: Visit) -> dict[str, Value]:
    return {"posting": visit.part("posting"), "volunteer": visit.part("volunteer")}


def _accept(visit: Visit, value: Sure) -> Call:
    return officer_call(visit.signed_in, "accept_application", _named(visit))


def _turn_down(visit: Visit, value: Why) -> Call:
    return officer_call(visit.signed_in, "decline_application", {**_named(visit), "why": value.why})


def _take_out(visit: Visit, value: Sure) -> Call:
    return officer_call(visit.signed_in, "withdraw_application", _named(visit))


def _absent(visit: Visit, value: Sure) -> Call:
    return acting_call(visit.signed_in, "mark_no_show", _named(visit))


PAGES = (
    View("help", "/help", show_help, ASKING),
    FormPage("requester_join", "/help/join", ASKING, Sure, _join, review=False),
    FormPage(
        "help_new", "/help/new", ASKING, NewHelp, _ask, options=wanted_options, initial=_first, check=_check,
        context=_only_joined,
    ),
    View("office_postings", "/office/postings", show_postings, OFFICERS),
    FormPage(
        "posting_new", "/office/postings/new", OFFICERS, NewPosting, _post, options=wanted_options, initial=_first,
        check=_check,
    ),
    View("posting_manage", "/manage/{posting}", show_posting, HANDLING),
    FormPage(
        "posting_cancel", "/manage/{posting}/cancel", HANDLING, Why, one_call("posting_cancel", _cancel, _posting_page),
        options=looking.reason_options, context=_about, template=ABOUT,
    ),
    FormPage(
        "posting_publish", "/manage/{posting}/publish", OFFICERS, Publish,
        one_call("posting_publish", _publish, _posting_page), options=_publish_options, context=_about,
        initial=_first, review=False, template=ABOUT,
    ),
    FormPage(
        "posting_decline", "/manage/{posting}/decline", OFFICERS, Why,
        one_call("posting_decline", _decline, _posting_page), options=looking.reason_options, context=_about,
        template=ABOUT,
    ),
    FormPage(
        "posting_resize", "/manage/{posting}/capacity", OFFICERS, Capacity,
        one_call("posting_resize", _resize, _posting_page), context=_about, initial=_present_capacity, review=False,
        template=ABOUT,
    ),
    FormPage(
        "application_accept", "/manage/{posting}/{volunteer}/accept", OFFICERS, Sure,
        one_call("application_accept", _accept, _posting_page), context=_about_application, review=False,
        template=ABOUT,
    ),
    FormPage(
        "application_decline", "/manage/{posting}/{volunteer}/decline", OFFICERS, Why,
        one_call("application_decline", _turn_down, _posting_page), options=looking.reason_options,
        context=_about_application, template=ABOUT,
    ),
    FormPage(
        "application_withdraw", "/manage/{posting}/{volunteer}/withdraw", OFFICERS, Sure,
        one_call("application_withdraw", _take_out, _posting_page), context=_about_application, review=False,
        template=ABOUT,
    ),
    FormPage(
        "no_show", "/manage/{posting}/{volunteer}/absent", HANDLING, Sure, one_call("no_show", _absent, _posting_page),
        context=_about_application, review=False, template=ABOUT,
    ),
)  # fmt: skip
