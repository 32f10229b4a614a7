"""依頼先検索: volunteers by skill and record, under their pseudonyms; and asking one of them directly (V1, V4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Options, Problem
from apps.common.outbox import Call
from apps.common.web import Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import HANDLING, Sure, acting_call, joined, local_volunteer, one_call, own_ask
from apps.volunteers.signing import ASKING, OFFICERS, app_call, officer_call, requester_of
from apps.volunteers.tables import ActivityRow, AskRow, VolunteerRow
from contracts.ecopoints.methodology.calendar import month_of
from contracts.volunteers.types import MAX_POSTING_MS
from ledger.encoding import Value

SHOWN_WORK = 20
SUGGESTED = 5
ABOUT = "volunteers/handling/about_ask.html"


def rotation(session: Session, municipality: str, skill: str, page: int) -> tuple[Sequence[VolunteerRow], int]:
    """V4e: registered volunteers with a skill, who was asked least lately first."""
    rows = select(VolunteerRow).where(VolunteerRow.municipality == municipality, VolunteerRow.status == "registered")
    if skill:
        # Skills are kept as a list in JSON, whose text has each code between quotation marks.
        rows = rows.where(cast(VolunteerRow.skills, String).contains(f'"{skill}"', autoescape=True))
    return looking.page_of(session, rows.order_by(VolunteerRow.last_asked_ms, VolunteerRow.volunteer), page)


async def show_candidates(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    skills = words.options(visit, "skill", words.SKILLS)
    skill, page = visit.query("skill", 40), visit.page_number()
    skill = skill if skill in {option.value for option in skills} else ""
    municipality = visit.signed_in.organisation

    def look(session: Session) -> tuple[Sequence[VolunteerRow], int, Mapping[str, str]]:
        people, count = rotation(session, municipality, skill, page)
        return people, count, looking.standings(session, people, visit.now_ms)

    people, count, standings = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/candidates.html", people=people, count=count, standings=standings, skill=skill,
        skills=skills, page=page, page_rows=looking.PAGE_ROWS, label=words.label, short=looking.short,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """V1a: what somebody has done, by kind, and the latest of it by month and area."""

    by_kind: Sequence[tuple[str, int]]
    latest: Sequence[tuple[str, str, str, int]]


def record_of(session: Session, volunteer: str) -> Record:
    done = select(ActivityRow).where(ActivityRow.volunteer == volunteer, ActivityRow.status == "approved")
    rows = session.scalars(done.order_by(ActivityRow.started_ms.desc()).limit(looking.PAGE_ROWS * 10)).all()
    latest = [(month_of(row.started_ms), row.kind, row.place, row.minutes) for row in rows[:SHOWN_WORK]]
    return Record(Counter(row.kind for row in rows).most_common(), latest)


async def show_candidate(visit: Visit) -> web.StreamResponse:
    person = await local_volunteer(visit)

    def look(session: Session) -> tuple[Record, Mapping[str, str]]:
        return record_of(session, person.volunteer), looking.standings(session, [person], visit.now_ms)

    record, standings = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/candidate.html", person=person, record=record, standing=standings[person.volunteer],
        label=words.label, short=looking.short,
    )  # fmt: skip


# -- asking one --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewAsk:
    subject: str = forms.text(max_length=60)
    kind: str = forms.choice()
    starts: datetime = forms.moment()
    ends: datetime = forms.moment()
    place: str = forms.choice()
    address: str = forms.text(required=False, max_length=200)
    details: str = forms.multiline(max_length=500)


async def _options(visit: Visit) -> Options:
    return {
        "kind": words.options(visit, "kind", words.KINDS),
        "place": words.options(visit, "place", words.PLACES),
    }


async def _check(visit: Visit, value: NewAsk) -> Mapping[str, Problem]:
    starts_ms, ends_ms = int(value.starts.timestamp() * 1_000), int(value.ends.timestamp() * 1_000)
    problems = {"starts": Problem("help_new.past")} if starts_ms <= visit.now_ms else {}
    if not starts_ms < ends_ms <= starts_ms + MAX_POSTING_MS:
        problems["ends"] = Problem("help_new.bad_end")
    return problems


async def _about_person(visit: Visit) -> Mapping[str, object]:
    await joined(visit)
    person = await local_volunteer(visit)
    if person.status != "registered":
        raise web.HTTPNotFound
    return {"person": person, "label": words.label, "short": looking.short}


def _ask(session: Session, visit: Visit, value: NewAsk) -> Outcome:
    user = visit.signed_in
    arguments: dict[str, Value] = {
        "requester": requester_of(user),
        "volunteer": visit.part("volunteer"),
        "kind": value.kind,
        "place": value.place,
        "starts_ms": int(value.starts.timestamp() * 1_000),
        "ends_ms": int(value.ends.timestamp() * 1_000),
        "detail": words.commit_words(session, visit, value.subject, value.details, value.address),
    }
    call = app_call(user.organisation, "ask_volunteer", arguments)
    write = visit.kit.outbox.put(session, "ask_new", call, reference="ask", user=user)
    return Outcome("/requests/{ask}", Flash("ask_new.done", {}), write)


# -- requests ----------------------------------------------------------------------------------------------------------


async def show_asks(visit: Visit) -> web.StreamResponse:
    """V4b, V4c: an officer's requests to check; a requester's own."""
    await own_writes(visit)
    user, page = visit.signed_in, visit.page_number()

    def look(session: Session) -> tuple[Sequence[AskRow], int, Mapping[str, object]]:
        rows = select(AskRow).where(AskRow.municipality == user.organisation)
        if looking.is_officer(user):
            first = rows.order_by(AskRow.status != "asked", AskRow.asked_ms.desc())
        else:
            first = rows.where(AskRow.requester == requester_of(user)).order_by(AskRow.asked_ms.desc())
        asks, count = looking.page_of(session, first, page)
        return asks, count, words.read_words(session, [a.detail for a in asks])

    asks, count, found = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/asks.html", asks=asks, count=count, page=page, page_rows=looking.PAGE_ROWS,
        words=found, label=words.label, short=looking.short,
    )  # fmt: skip


async def show_ask(visit: Visit) -> web.StreamResponse:
    """V4c, V4e: one request; an officer sees who else could be asked, least lately asked first."""
    ask = await own_ask(visit)
    is_officer = looking.is_officer(visit.signed_in)

    def look(session: Session) -> tuple[VolunteerRow | None, Sequence[VolunteerRow], Mapping[str, str]]:
        person = session.get(VolunteerRow, ask.volunteer)
        others = rotation(session, ask.municipality, "", 1)[0] if is_officer else ()
        suggested = [other for other in others if other.volunteer != ask.volunteer][:SUGGESTED]
        people = [*suggested, *([person] if person is not None else [])]
        return person, suggested, looking.standings(session, people, visit.now_ms)

    person, suggested, standings = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/ask.html", ask=ask, person=person, suggested=suggested, standings=standings,
        words=await looking.words_of(visit, ask.detail), label=words.label, short=looking.short, is_officer=is_officer,
    )  # fmt: skip


async def _about_ask(visit: Visit) -> Mapping[str, object]:
    ask = await own_ask(visit)
    found = await looking.words_of(visit, ask.detail)
    return {"ask": ask, "words": found, "label": words.label, "short": looking.short}


def _forward(visit: Visit, value: Sure) -> Call:
    return officer_call(visit.signed_in, "forward_ask", {"ask": visit.part("ask")})


def _refuse(visit: Visit, value: Sure) -> Call:
    return officer_call(visit.signed_in, "refuse_ask", {"ask": visit.part("ask")})


def _cancel(visit: Visit, value: Sure) -> Call:
    return acting_call(visit.signed_in, "cancel_ask", {"ask": visit.part("ask")})


def _ask_page(visit: Visit) -> str:
    return visit.kit.path("ask", ask=visit.part("ask"))


PAGES = (
    View("candidates", "/volunteers", show_candidates, HANDLING),
    View("candidate", "/volunteers/{volunteer}", show_candidate, HANDLING),
    FormPage(
        "ask_new", "/volunteers/{volunteer}/ask", ASKING, NewAsk, _ask, options=_options, check=_check,
        context=_about_person, template="volunteers/handling/about_candidate.html",
    ),
    View("asks", "/requests", show_asks, HANDLING),
    View("ask", "/requests/{ask}", show_ask, HANDLING),
    FormPage(
        "ask_forward", "/requests/{ask}/forward", OFFICERS, Sure,
        one_call("ask_forward", _forward, _ask_page),
        context=_about_ask, review=False, template=ABOUT,
    ),
    FormPage(
        "ask_refuse", "/requests/{ask}/refuse", OFFICERS, Sure,
        one_call("ask_refuse", _refuse, _ask_page),
        context=_about_ask, review=False, template=ABOUT,
    ),
    FormPage(
        "ask_cancel", "/requests/{ask}/cancel", HANDLING, Sure,
        one_call("ask_cancel", _cancel, _ask_page),
        context=_about_ask, review=False, template=ABOUT,
    ),
)  # fmt: skip
