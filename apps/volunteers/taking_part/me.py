"""マイページ: applying to be a volunteer, own activities, requests to answer (V2a, V4d, V8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option, Options
from apps.common.outbox import Call
from apps.common.tables import User
from apps.common.web import Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import Sure, one_call
from apps.volunteers.signing import app_call
from apps.volunteers.tables import ActivityRow, ApplicationRow, AskRow, CertificateRow, PostingRow, VolunteerRow
from apps.volunteers.taking_part.activities import VOLUNTEERS_ONLY, towns
from ledger.encoding import Value
from ledger.refusal import BrokenInvariant

SHOWN = 50
ABOUT_ASK = "volunteers/handling/about_ask.html"


@dataclass(frozen=True)
class Application:
    municipality: str = forms.choice()
    kind: str = forms.radio()
    skills: tuple[str, ...] = forms.several()
    details: str = forms.multiline(max_length=500)
    hidden: bool = forms.tick()


async def show_me(visit: Visit) -> web.StreamResponse:
    """V8a: certificate, requests to answer, places, what was done."""
    await own_writes(visit)
    me = visit.signed_in.pseudonym

    def look(session: Session) -> Mapping[str, object]:
        person = session.get(VolunteerRow, me)
        certificate = session.get(CertificateRow, person.certificate) if person is not None else None
        places = session.execute(
            select(ApplicationRow, PostingRow)
            .join(PostingRow, PostingRow.posting == ApplicationRow.posting)
            .where(ApplicationRow.volunteer == me, PostingRow.ends_ms > visit.now_ms)
            .where(ApplicationRow.status.in_(("applied", "waiting", "accepted", "present")))
            .order_by(PostingRow.starts_ms)
            .limit(SHOWN)
        ).all()
        asks = session.scalars(
            select(AskRow).where(AskRow.volunteer == me, AskRow.status == "forwarded").order_by(AskRow.asked_ms)
        ).all()
        work = session.scalars(
            select(ActivityRow).where(ActivityRow.volunteer == me).order_by(ActivityRow.started_ms.desc()).limit(SHOWN)
        ).all()
        written = [posting.detail for _, posting in places] + [ask.detail for ask in asks]
        return {
            "person": person, "certificate": certificate, "standing": looking.standing_of(certificate, visit.now_ms),
            "places": [(a, p) for a, p in places], "asks": asks, "work": work,
            "words": words.read_words(session, written),
        }  # fmt: skip

    mine = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/taking_part/me.html", mine=mine, words=mine["words"], label=words.label, short=looking.short,
        minutes_of=looking.minutes_of,
    )  # fmt: skip


async def _options(visit: Visit) -> Options:
    own = visit.signed_in.organisation
    return {
        "municipality": [town for town in towns(visit) if own in ("", town.value)],
        "kind": [Option(kind, visit.t(f"volunteer_kind.{kind}")) for kind in ("person", "group")],
        "skills": words.options(visit, "skill", words.SKILLS),
    }


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"municipality": (visit.signed_in.organisation,), "kind": ("person",)}


async def _may_apply(visit: Visit) -> Mapping[str, object]:
    await own_writes(visit)
    me = visit.signed_in.pseudonym
    person = await visit.kit.database.read(lambda session: session.get(VolunteerRow, me))
    if person is not None and person.status != "returned":
        raise web.HTTPNotFound
    return {}


def _apply(session: Session, visit: Visit, value: Application) -> Outcome:
    user = session.get(User, visit.signed_in.id)
    if user is None:
        raise BrokenInvariant("somebody is signed in who is not there")
    # Residents make their account themselves: here they say to which municipality they belong.
    user.organisation = user.organisation or value.municipality
    arguments: dict[str, Value] = {
        "volunteer": user.pseudonym,
        "kind": value.kind,
        "skills": list(value.skills),
        "listed": not value.hidden,
        "application": words.commit_words(session, visit, "", value.details),
    }
    call = app_call(user.organisation, "apply_as_volunteer", arguments)
    write = visit.kit.outbox.put(session, "me_apply", call, reference="volunteer", user=user)
    return Outcome(visit.kit.path("me"), Flash("me_apply.done", {}), write)


# -- requests ----------------------------------------------------------------------------------------------------------


async def _about_ask(visit: Visit) -> Mapping[str, object]:
    await own_writes(visit)
    ask_id = visit.part("ask")[:48]
    ask = await visit.kit.database.read(lambda session: session.get(AskRow, ask_id))
    if ask is None or ask.volunteer != visit.signed_in.pseudonym or ask.status in ("asked", "refused"):
        raise web.HTTPNotFound
    found = await looking.words_of(visit, ask.detail)
    return {"ask": ask, "words": found, "label": words.label, "short": looking.short}


def _answer(visit: Visit, method: str) -> Call:
    user = visit.signed_in
    return app_call(user.organisation, method, {"ask": visit.part("ask"), "volunteer": user.pseudonym})


def _consent(visit: Visit, value: Sure) -> Call:
    return _answer(visit, "consent_to_ask")


def _decline(visit: Visit, value: Sure) -> Call:
    return _answer(visit, "decline_ask")


def _me_page(visit: Visit) -> str:
    return visit.kit.path("me")


PAGES = (
    View("me", "/me", show_me, VOLUNTEERS_ONLY),
    FormPage(
        "me_apply", "/me/apply", VOLUNTEERS_ONLY, Application, _apply, options=_options, initial=_initial,
        context=_may_apply,
    ),
    FormPage(
        "ask_consent", "/me/requests/{ask}/consent", VOLUNTEERS_ONLY, Sure,
        one_call("ask_consent", _consent, _me_page), context=_about_ask, review=False, template=ABOUT_ASK,
    ),
    FormPage(
        "ask_decline", "/me/requests/{ask}/decline", VOLUNTEERS_ONLY, Sure,
        one_call("ask_decline", _decline, _me_page), context=_about_ask, review=False, template=ABOUT_ASK,
    ),
)  # fmt: skip
