"""実施者 as officers see them: applications, registration, and what becomes of certificates (V2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.access_log import note_view
from apps.common.form_page import FormPage
from apps.common.forms import Options, Problem
from apps.common.language import day_start_ms
from apps.common.outbox import Call
from apps.common.tables import User
from apps.common.web import View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.candidates import Record, record_of
from apps.volunteers.handling.looking import Why, local_volunteer, one_call
from apps.volunteers.signing import OFFICERS, officer_call
from apps.volunteers.tables import CertificateRow, VolunteerRow
from contracts.ecopoints.methodology.calendar import fiscal_year_of
from contracts.volunteers.types import MAX_VALID_MS
from ledger.encoding import Value

ABOUT = "volunteers/handling/about_person.html"
STATES = ("applied", "registered", "returned", "left")
DAY_MS = 24 * 3_600_000
MAX_CERTIFICATES = 50


@dataclass(frozen=True)
class Validity:
    valid_until: date = forms.day()


@dataclass(frozen=True)
class Skills:
    skills: tuple[str, ...] = forms.several()


async def show_people(visit: Visit) -> web.StreamResponse:
    """V2b: pseudonyms only; who is behind one is on the page of that one."""
    await own_writes(visit)
    state, page = visit.query("state", 12), visit.page_number()
    state = state if state in STATES else STATES[0]
    municipality = visit.signed_in.organisation

    def look(session: Session) -> tuple[Sequence[VolunteerRow], int, Mapping[str, str]]:
        rows = select(VolunteerRow).where(VolunteerRow.municipality == municipality, VolunteerRow.status == state)
        people, count = looking.page_of(session, rows.order_by(VolunteerRow.applied_ms), page)
        return people, count, looking.standings(session, people, visit.now_ms)

    people, count, standings = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/people.html", people=people, count=count, page=page, page_rows=looking.PAGE_ROWS,
        state=state, states=STATES, standings=standings, label=words.label, short=looking.short,
    )  # fmt: skip


async def show_person(visit: Visit) -> web.StreamResponse:
    """V2b, X5: name and address of one volunteer; that an officer looked is recorded on the chain."""
    person = await local_volunteer(visit)
    await note_view(visit, "volunteer", person.volunteer)

    def look(session: Session) -> tuple[User | None, Sequence[CertificateRow], Record]:
        user = session.scalar(select(User).where(User.pseudonym == person.volunteer))
        rows = select(CertificateRow).where(CertificateRow.volunteer == person.volunteer)
        newest = rows.order_by(CertificateRow.issued_ms.desc()).limit(MAX_CERTIFICATES)
        return user, session.scalars(newest).all(), record_of(session, person.volunteer)

    user, certificates, record = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/handling/person.html", person=person, who=user, certificates=certificates, record=record,
        standings={c.certificate: looking.standing_of(c, visit.now_ms) for c in certificates}, label=words.label,
        short=looking.short,
    )  # fmt: skip


async def _about(visit: Visit) -> Mapping[str, object]:
    return {"person": await local_volunteer(visit), "label": words.label, "short": looking.short}


def _page(visit: Visit) -> str:
    return visit.kit.path("office_volunteer", volunteer=visit.part("volunteer"))


# -- registering -------------------------------------------------------------------------------------------------------


async def _end_of_next_year(visit: Visit) -> Mapping[str, Sequence[str]]:
    """A certificate counts to the end of the fiscal year after this one, unless an officer says otherwise."""
    return {"valid_until": (f"{fiscal_year_of(visit.now_ms) + 2}-03-31",)}


def _until_ms(value: Validity) -> int:
    """The last second of the day in Japan."""
    return day_start_ms(value.valid_until) + DAY_MS - 1_000


async def _check_validity(visit: Visit, value: Validity) -> Mapping[str, Problem]:
    ahead_ms = _until_ms(value) - visit.now_ms
    return {} if 0 < ahead_ms <= MAX_VALID_MS else {"valid_until": Problem("volunteer_register.bad_day")}


def _register(visit: Visit, value: Validity) -> Call:
    named: dict[str, Value] = {"volunteer": visit.part("volunteer"), "valid_until_ms": _until_ms(value)}
    return officer_call(visit.signed_in, "register_volunteer", named)


def _reissue(visit: Visit, value: Validity) -> Call:
    named: dict[str, Value] = {"volunteer": visit.part("volunteer"), "valid_until_ms": _until_ms(value)}
    return officer_call(visit.signed_in, "reissue_certificate", named)


def _give_back(visit: Visit, value: Why) -> Call:
    named = {"volunteer": visit.part("volunteer"), "why": value.why}
    return officer_call(visit.signed_in, "return_volunteer", named)


async def _skill_options(visit: Visit) -> Options:
    return {"skills": words.options(visit, "skill", words.SKILLS)}


async def _present_skills(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"skills": tuple((await local_volunteer(visit)).skills)}


def _change_skills(visit: Visit, value: Skills) -> Call:
    named: dict[str, Value] = {"volunteer": visit.part("volunteer"), "skills": list(value.skills)}
    return officer_call(visit.signed_in, "change_skills", named)


# -- certificates ------------------------------------------------------------------------------------------------------


async def _own_certificate(visit: Visit) -> CertificateRow:
    await own_writes(visit)
    number = visit.part("certificate")[:48]
    found = await visit.kit.database.read(lambda session: session.get(CertificateRow, number))
    if found is None or found.municipality != visit.signed_in.organisation:
        raise web.HTTPNotFound
    return found


async def _about_certificate(visit: Visit) -> Mapping[str, object]:
    found = await _own_certificate(visit)
    standing = looking.standing_of(found, visit.now_ms)
    return {"certificate": found, "standing": standing, "label": words.label, "short": looking.short}


def _status_page(name: str, method: str) -> FormPage[Why]:
    """Suspending, resuming or revoking, with the reason."""

    def call(visit: Visit, value: Why) -> Call:
        return officer_call(visit.signed_in, method, {"certificate": visit.part("certificate"), "why": value.why})

    def back(visit: Visit) -> str:
        return visit.kit.path("office_volunteers") + "?state=registered"

    return FormPage(
        name, f"/office/certificates/{{certificate}}/{name.rsplit('_', 1)[1]}", OFFICERS, Why,
        one_call(name, call, back), options=looking.reason_options, context=_about_certificate, template=ABOUT,
    )  # fmt: skip


PAGES = (
    View("office_volunteers", "/office/volunteers", show_people, OFFICERS),
    View("office_volunteer", "/office/volunteers/{volunteer}", show_person, OFFICERS),
    FormPage(
        "volunteer_register", "/office/volunteers/{volunteer}/register", OFFICERS, Validity,
        one_call("volunteer_register", _register, _page), initial=_end_of_next_year, check=_check_validity,
        context=_about, template=ABOUT,
    ),
    FormPage(
        "volunteer_return", "/office/volunteers/{volunteer}/return", OFFICERS, Why,
        one_call("volunteer_return", _give_back, _page), options=looking.reason_options, context=_about, template=ABOUT,
    ),
    FormPage(
        "volunteer_skills", "/office/volunteers/{volunteer}/skills", OFFICERS, Skills,
        one_call("volunteer_skills", _change_skills, _page), options=_skill_options, initial=_present_skills,
        context=_about, review=False, template=ABOUT,
    ),
    FormPage(
        "certificate_reissue", "/office/volunteers/{volunteer}/reissue", OFFICERS, Validity,
        one_call("certificate_reissue", _reissue, _page), initial=_end_of_next_year, check=_check_validity,
        context=_about, template=ABOUT,
    ),
    _status_page("certificate_suspend", "suspend_certificate"),
    _status_page("certificate_resume", "resume_certificate"),
    _status_page("certificate_revoke", "revoke_certificate"),
)  # fmt: skip
