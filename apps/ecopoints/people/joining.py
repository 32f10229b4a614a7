"""Joining: a resident or firm applies, an officer looks at it and makes the member on the chain, or gives it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.access_log import note_view
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Settled
from apps.common.tables import User
from apps.common.web import Flash, Kit, View, Visit
from apps.ecopoints.people.looking import PAGE_ROWS, own_member
from apps.ecopoints.people.tables import EcoPerson
from apps.ecopoints.signing import MEMBERS, MUNICIPAL, OFFICERS, officer_call

REGISTER = "member.register"
KINDS = ("household", "firm")
PHONE = r"[0-9+() -]{6,20}"


@dataclass(frozen=True)
class Join:
    """E4c, E9a: what a resident or firm says of itself."""

    municipality: str = forms.choice()
    kind: str = forms.radio()
    name: str = forms.text(max_length=100, autocomplete="name")
    address: str = forms.text(max_length=200, autocomplete="street-address")
    phone: str = forms.text(required=False, max_length=20, pattern=PHONE, autocomplete="tel")
    agreed: bool = forms.tick(required=True)


@dataclass(frozen=True)
class Accept:
    sure: bool = forms.tick(required=True)


@dataclass(frozen=True)
class GiveBack:
    reason: str = forms.multiline(required=True, max_length=500)


# -- the resident ------------------------------------------------------------------------------------------------------


def kind_options(visit: Visit) -> list[Option]:
    return [Option(kind, visit.t(f"kind_value.{kind}")) for kind in KINDS]


async def _join_options(visit: Visit) -> Options:
    texts = visit.kit.catalogue.texts
    towns = sorted(key.removeprefix("municipality.") for key in texts if key.startswith("municipality."))
    return {
        "municipality": [Option(code, visit.t(f"municipality.{code}")) for code in towns],
        "kind": kind_options(visit),
    }


async def _join_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    """What was given back is filled in, to be mended."""
    user = visit.signed_in
    person = await visit.kit.database.read(lambda session: session.get(EcoPerson, user.pseudonym))
    if person is None:
        return {"name": (user.name,), "municipality": (user.organisation,) if user.organisation else ()}
    return {
        "municipality": (person.municipality,), "kind": (person.kind,), "name": (person.name,),
        "address": (person.address,), "phone": (person.phone,),
    }  # fmt: skip


async def _join_context(visit: Visit) -> Mapping[str, object]:
    user = visit.signed_in
    person = await visit.kit.database.read(lambda session: session.get(EcoPerson, user.pseudonym))
    if await own_member(visit) is not None:
        raise web.HTTPNotFound
    return {"person": person}


async def _check_join(visit: Visit, value: Join) -> Mapping[str, Problem]:
    return {} if visit.signed_in.confirmed_ms is not None else {"": Problem("join.unconfirmed")}


def _join(session: Session, visit: Visit, value: Join) -> Outcome:
    user = visit.signed_in
    there = session.get(EcoPerson, user.pseudonym)
    if there is not None and there.state == "joined":
        raise FormRefused({"": Problem("join.joined")})
    session.merge(
        EcoPerson(
            member=user.pseudonym, user_id=user.id, municipality=value.municipality, kind=value.kind, name=value.name,
            address=value.address, phone=value.phone, state="applied", reason="", applied_ms=visit.now_ms,
        )
    )  # fmt: skip
    return Outcome(visit.kit.path("mine"), Flash("join.done", {}))


# -- the officer -------------------------------------------------------------------------------------------------------


async def show_applications(visit: Visit) -> web.StreamResponse:
    """Who wants to join the visitor's municipality, the longest waiting first; the look is recorded."""
    page, municipality = visit.page_number(), visit.signed_in.organisation
    await note_view(visit, "applications", municipality)

    def look(session: Session) -> tuple[Sequence[EcoPerson], int]:
        rows = select(EcoPerson).where(EcoPerson.municipality == municipality, EcoPerson.state == "applied")
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = rows.order_by(EcoPerson.applied_ms, EcoPerson.member).offset((page - 1) * PAGE_ROWS)
        return session.scalars(shown.limit(PAGE_ROWS)).all(), count

    people, count = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/people/applications.html", people=people, count=count, page=page, page_rows=PAGE_ROWS
    )  # fmt: skip


def _applicant(session: Session, visit: Visit) -> EcoPerson | None:
    person = session.get(EcoPerson, visit.part("member")[:64])
    is_mine = person is not None and person.municipality == visit.signed_in.organisation
    return person if is_mine and person is not None and person.state == "applied" else None


async def _about_applicant(visit: Visit) -> Mapping[str, object]:
    def look(session: Session) -> tuple[EcoPerson | None, User | None]:
        person = _applicant(session, visit)
        user = session.get(User, person.user_id) if person is not None and person.user_id is not None else None
        return person, user

    person, user = await visit.kit.database.read(look)
    if person is None:
        raise web.HTTPNotFound
    await note_view(visit, "member", person.member)
    return {"person": person, "account": user}


def _accept(session: Session, visit: Visit, value: Accept) -> Outcome:
    person = _applicant(session, visit)
    if person is None:
        raise FormRefused({"": Problem("application_accept.gone")})
    call = officer_call(visit.signed_in, "register_member", {"member": person.member, "kind": person.kind})
    write = visit.kit.outbox.put(session, REGISTER, call, reference=f"member:{person.member}", user=visit.user)
    return Outcome(visit.kit.path("member", member=person.member), Flash("application_accept.done", {}), write)


def registered(kit: Kit, settled: Settled) -> None:
    """The chain has the member: the account is one of the municipality's, and its owner is told."""
    session = settled.session
    person = session.get(EcoPerson, settled.write.reference.removeprefix("member:"))
    if person is None or not settled.done:
        return
    person.state, person.reason = "joined", ""
    user = session.get(User, person.user_id) if person.user_id is not None else None
    if user is not None:
        user.organisation = person.municipality
        kit.mails.tell(session, user, "joined", reference=person.member, link=kit.url("mine"))


def _give_back(session: Session, visit: Visit, value: GiveBack) -> Outcome:
    person = _applicant(session, visit)
    if person is None:
        raise FormRefused({"": Problem("application_accept.gone")})
    person.state, person.reason = "returned", value.reason
    user = session.get(User, person.user_id) if person.user_id is not None else None
    if user is not None:
        link = visit.kit.url("join")
        visit.kit.mails.tell(
            session, user, "join_returned", reference=person.member, reason=value.reason, link=link
        )  # fmt: skip
    return Outcome(visit.kit.path("applications"), Flash("application_return.done", {}))


FOLLOW_UPS = {REGISTER: registered}
PAGES = (
    FormPage(
        "join", "/join", MEMBERS, Join, _join, options=_join_options, initial=_join_initial, check=_check_join,
        context=_join_context, template="ecopoints/people/join.html",
    ),
    View("applications", "/applications", show_applications, MUNICIPAL),
    FormPage(
        "application_accept", "/applications/{member}/accept", OFFICERS, Accept, _accept, review=False,
        context=_about_applicant, template="ecopoints/people/applicant.html",
    ),
    FormPage(
        "application_return", "/applications/{member}/return", OFFICERS, GiveBack, _give_back,
        context=_about_applicant, template="ecopoints/people/applicant.html",
    ),
)  # fmt: skip
