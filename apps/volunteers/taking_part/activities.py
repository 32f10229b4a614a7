"""募集の一覧: what is open in all municipalities; applying and withdrawing (V3a, V3c, V3e)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Option
from apps.common.outbox import Call
from apps.common.web import EVERYBODY, Flash, View, Visit
from apps.volunteers import words
from apps.volunteers.copy import own_writes
from apps.volunteers.handling import looking
from apps.volunteers.handling.looking import Sure, one_call
from apps.volunteers.signing import VOLUNTEER, app_call
from apps.volunteers.tables import ApplicationRow, PostingRow, VolunteerRow, Words
from ledger.encoding import Value

VOLUNTEERS_ONLY = frozenset({VOLUNTEER})
ABOUT = "volunteers/handling/about_posting.html"
MUNICIPALITY = "municipality."


def towns(visit: Visit) -> list[Option]:
    """The municipalities on the chain: the catalogue has their names under `municipality.<code>`."""
    codes = [key.removeprefix(MUNICIPALITY) for key in visit.kit.catalogue.texts if key.startswith(MUNICIPALITY)]
    return [Option(code, visit.t(f"{MUNICIPALITY}{code}")) for code in sorted(codes)]


async def show_activities(visit: Visit) -> web.StreamResponse:
    """V3a, X6: published, not started yet, by start."""
    await own_writes(visit)
    kinds, page = words.options(visit, "kind", words.KINDS), visit.page_number()
    kind, town = visit.query("kind", 32), visit.query("municipality", 6)

    def look(session: Session) -> tuple[Sequence[PostingRow], int, Mapping[str, Words]]:
        rows = select(PostingRow).where(
            PostingRow.status == "published", PostingRow.direct.is_(False), PostingRow.starts_ms > visit.now_ms
        )  # fmt: skip
        rows = rows.where(PostingRow.kind == kind) if kind else rows
        rows = rows.where(PostingRow.municipality == town) if town else rows
        found, count = looking.page_of(session, rows.order_by(PostingRow.starts_ms, PostingRow.posting), page)
        return found, count, words.read_words(session, [row.detail for row in found])

    postings, count, found = await visit.kit.database.read(look)
    return visit.render(
        "volunteers/taking_part/activities.html", postings=postings, count=count, page=page,
        page_rows=looking.PAGE_ROWS, words=found, kinds=kinds, kind=kind, towns=towns(visit), town=town,
        label=words.label,
    )  # fmt: skip


async def open_posting(visit: Visit) -> PostingRow:
    """A published posting; one made for a single volunteer is theirs alone."""
    await own_writes(visit)
    posting_id = visit.part("posting")[:48]
    found = await visit.kit.database.read(lambda session: session.get(PostingRow, posting_id))
    if found is None or found.status not in ("published", "cancelled"):
        raise web.HTTPNotFound
    if found.direct and await own_application(visit, found) is None:
        raise web.HTTPNotFound
    return found


async def own_application(visit: Visit, posting: PostingRow) -> ApplicationRow | None:
    if visit.user is None:
        return None
    key = (posting.posting, visit.user.pseudonym)
    return await visit.kit.database.read(lambda session: session.get(ApplicationRow, key))


async def show_activity(visit: Visit) -> web.StreamResponse:
    """V3a: where to go is told to those who have a place."""
    posting = await open_posting(visit)
    application = await own_application(visit, posting)
    return visit.render(
        "volunteers/taking_part/activity.html", posting=posting, application=application,
        has_place=application is not None and application.status in ("accepted", "present"),
        words=await looking.words_of(visit, posting.detail), label=words.label,
    )  # fmt: skip


@dataclass(frozen=True)
class Applying:
    people: int = forms.number(minimum=1, maximum=30, unit="unit.people")


async def _one(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"people": ("1",)}


async def _about(visit: Visit) -> Mapping[str, object]:
    posting = await open_posting(visit)
    return {
        "posting": posting, "words": await looking.words_of(visit, posting.detail), "label": words.label,
        "short": looking.short,
    }  # fmt: skip


async def _about_applying(visit: Visit) -> Mapping[str, object]:
    """Only who is registered applies: others are led to do that first."""
    context = await _about(visit)
    me = visit.signed_in.pseudonym
    person = await visit.kit.database.read(lambda session: session.get(VolunteerRow, me))
    if person is None or person.status != "registered":
        raise web.HTTPSeeOther(visit.kit.path("me"))
    return context


def _apply(session: Session, visit: Visit, value: Applying) -> Outcome:
    user, posting = visit.signed_in, visit.part("posting")
    named: dict[str, Value] = {"posting": posting, "volunteer": user.pseudonym, "people": value.people}
    write = visit.kit.outbox.put(
        session, "activity_apply", app_call(user.organisation, "apply", named), reference="apply", user=user
    )
    return Outcome(visit.kit.path("activity", posting=posting), Flash("activity_apply.done", {}), write)


def _withdraw(visit: Visit, value: Sure) -> Call:
    user = visit.signed_in
    named = {"posting": visit.part("posting"), "volunteer": user.pseudonym}
    return app_call(user.organisation, "withdraw_application", named)


def _activity_page(visit: Visit) -> str:
    return visit.kit.path("activity", posting=visit.part("posting"))


PAGES = (
    View("activities", "/activities", show_activities, EVERYBODY),
    View("activity", "/activities/{posting}", show_activity, EVERYBODY),
    FormPage(
        "activity_apply", "/activities/{posting}/apply", VOLUNTEERS_ONLY, Applying, _apply, initial=_one,
        context=_about_applying, template=ABOUT,
    ),
    FormPage(
        "activity_withdraw", "/activities/{posting}/withdraw", VOLUNTEERS_ONLY, Sure,
        one_call("activity_withdraw", _withdraw, _activity_page), context=_about, review=False, template=ABOUT,
    ),
)  # fmt: skip
