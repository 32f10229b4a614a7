"""証明書の提示: a one-time code on the volunteer's phone; the page that it opens says whether it counts, and begins the
work (V5a, V5b, V5d).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms, qr
from apps.common.chain import ChainUnavailable
from apps.common.copying import Asker
from apps.common.form_page import WAIT_S, FormPage
from apps.common.forms import Option, Options
from apps.common.outbox import Call
from apps.common.web import EVERYBODY, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import COPY, own_writes
from apps.volunteers.credentials.showing import check_base_url, new_showing, showing_url
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import HANDLING, acting_call, one_call
from apps.volunteers.signing import app_call, requester_of
from apps.volunteers.tables import ApplicationRow, PostingRow, VolunteerRow, Words
from apps.volunteers.taking_part.activities import VOLUNTEERS_ONLY
from contracts.volunteers.activities import EARLY_MS
from contracts.volunteers.queries import PresentationView
from contracts.volunteers.types import VOLUNTEERS

MIN_CODE, MAX_CODE = 12, 64


async def show_code(visit: Visit) -> web.StreamResponse:
    """V5d: asked by GET, a button; by POST, a new code, whose commitment is on the chain before it is shown."""
    await own_writes(visit)
    user = visit.signed_in
    person = await visit.kit.database.read(lambda session: session.get(VolunteerRow, user.pseudonym))
    if person is None or not person.certificate:
        return visit.redirect(visit.kit.path("me"))
    if visit.request.method != "POST":
        return visit.render("volunteers/taking_part/show.html", code="", picture=None, problem="")
    check_base_url(visit.kit.settings.base_url)
    showing = new_showing(visit.now_ms)
    named = {"certificate": person.certificate, "commitment": showing.commitment}
    call = app_call(user.organisation, "show_certificate", named)

    def put(session: Session) -> int:
        return visit.kit.outbox.put(session, "certificate_show", call, reference="show", user=user).id

    write_id = await visit.kit.database.write(put)
    visit.kit.outbox.wake()
    write = await visit.kit.outbox.wait(write_id, WAIT_S)
    if write.state != "done":
        reason = write.reason_en if visit.language == "en" else write.reason_ja
        return visit.render(
            "volunteers/taking_part/show.html", code="", picture=None, problem=reason or visit.t("show.unknown")
        )
    address = showing_url(visit.kit.settings.base_url, showing.code)
    picture = qr.svg(address, visit.t("show.picture"))
    return visit.render(
        "volunteers/taking_part/show.html", code=showing.code, picture=picture, address=address, problem=""
    )


# -- what the code opens -----------------------------------------------------------------------------------------------


async def presented(visit: Visit) -> PresentationView | None:
    """What the code of the address leads to; 503 while no node answers."""
    code = visit.part("code")
    if not MIN_CODE <= len(code) <= MAX_CODE:
        return None
    asker = Asker(visit.kit.chain, VOLUNTEERS, await visit.kit.database.read(COPY.height))
    try:
        return await asker.one(PresentationView, "presentation", {"code": code})
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None


def finding(view: PresentationView | None, now_ms: int) -> str:
    """V5a: `valid`, or why not. Used comes before too late."""
    if view is None:
        return "unknown"
    if view.presentation.used_ms is not None:
        return "spent"
    if now_ms >= view.presentation.expires_ms:
        return "stale"
    return view.standing


async def show_presented(visit: Visit) -> web.StreamResponse:
    view = await presented(visit)
    found = finding(view, visit.now_ms)
    skills = []
    if view is not None:
        volunteer = view.presentation.volunteer
        person = await visit.kit.database.read(lambda session: session.get(VolunteerRow, volunteer))
        skills = person.skills if person is not None else []
    return visit.render(
        "volunteers/taking_part/presented.html", view=view, finding=found, skills=skills, code=visit.part("code"),
        label=words.label, short=looking.short,
    )  # fmt: skip


# -- beginning the work ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckIn:
    posting: str = forms.choice()


async def _places(visit: Visit) -> Options:
    """The places of this volunteer that the visitor may let begin now."""
    view, user = await presented(visit), visit.signed_in
    if view is None:
        return {"posting": []}
    volunteer, now_ms = view.presentation.volunteer, visit.now_ms

    def look(session: Session) -> list[Option]:
        rows = (
            select(PostingRow)
            .join(ApplicationRow, ApplicationRow.posting == PostingRow.posting)
            .where(ApplicationRow.volunteer == volunteer, ApplicationRow.status == "accepted")
            .where(PostingRow.municipality == user.organisation, PostingRow.ends_ms >= now_ms)
            .where(PostingRow.starts_ms <= now_ms + EARLY_MS)
        )
        if not looking.is_officer(user):
            rows = rows.where(PostingRow.requester == requester_of(user))
        found = session.scalars(rows.order_by(PostingRow.starts_ms).limit(looking.PAGE_ROWS)).all()
        titles = words.read_words(session, [row.detail for row in found])
        return [Option(row.posting, _title(visit, row, titles)) for row in found]

    return {"posting": await visit.kit.database.read(look)}


def _title(visit: Visit, row: PostingRow, titles: Mapping[str, Words]) -> str:
    written = titles.get(row.detail)
    return (written.title if written is not None else "") or words.label(visit, "kind", row.kind)


async def _about(visit: Visit) -> Mapping[str, object]:
    await own_writes(visit)
    view = await presented(visit)
    if view is None:
        raise web.HTTPNotFound
    if finding(view, visit.now_ms) != "valid":
        raise web.HTTPSeeOther(visit.kit.path("presented", code=visit.part("code")))
    return {"view": view, "short": looking.short}


def _begin(visit: Visit, value: CheckIn) -> Call:
    return acting_call(visit.signed_in, "check_in", {"posting": value.posting, "code": visit.part("code")})


PAGES = (
    View("show", "/me/show", show_code, VOLUNTEERS_ONLY, methods=("GET", "POST")),
    View("presented", "/p/{code}", show_presented, EVERYBODY),
    FormPage(
        "check_in", "/p/{code}/start", HANDLING, CheckIn,
        one_call("check_in", _begin, lambda visit: "/work/{activity}"), options=_places, context=_about, review=False,
        template="volunteers/taking_part/check_in.html",
    ),
)  # fmt: skip
