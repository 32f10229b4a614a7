"""What these pages look up, who may see it, and how what they do is signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from apps.common import forms
from apps.common.database import Base
from apps.common.form_page import Outcome
from apps.common.forms import Option, Options
from apps.common.outbox import Call
from apps.common.tables import User
from apps.common.web import Flash, Visit
from apps.volunteers.copy import own_writes
from apps.volunteers.signing import ASKING, OFFICER, OFFICERS, app_call, officer_call, requester_of
from apps.volunteers.tables import ActivityRow, AskRow, CertificateRow, PostingRow, RequesterRow, VolunteerRow, Words
from apps.volunteers.words import read_words
from contracts.volunteers.activities import minutes_between
from ledger.encoding import Value

PAGE_ROWS = 30
SECOND_MS = 1_000
REASONS = ("incomplete", "not_suitable", "not_done", "lost", "misuse", "weather", "mistake", "wished", "other")
HANDLING = ASKING | OFFICERS
Row = TypeVar("Row", bound=Base)
Form = TypeVar("Form")


@dataclass(frozen=True)
class Sure:
    """A form that only asks whether it is meant."""

    sure: bool = forms.tick(required=True)


@dataclass(frozen=True)
class Why:
    """A form that asks for the reason, of which the chain has the code."""

    why: str = forms.choice()


def is_officer(user: User) -> bool:
    return OFFICER in user.roles


def acting_call(user: User, method: str, arguments: Mapping[str, Value]) -> Call:
    """What an officer does for anybody of the municipality, and a requester for themselves."""
    if is_officer(user):
        return officer_call(user, method, arguments)
    return app_call(user.organisation, method, {**arguments, "requester": requester_of(user)})


def is_own(user: User, municipality: str, requester: str) -> bool:
    """Whether somebody acts for the receiving side: an officer of the municipality, or the requester."""
    if user.organisation != municipality:
        return False
    return is_officer(user) or (bool(requester) and requester == requester_of(user))


# -- rows --------------------------------------------------------------------------------------------------------------


async def _find(visit: Visit, table: type[Row], part: str) -> Row:
    await own_writes(visit)
    row_id = visit.part(part)[:64]
    found = await visit.kit.database.read(lambda session: session.get(table, row_id))
    if found is None:
        raise web.HTTPNotFound
    return found


async def own_posting(visit: Visit) -> PostingRow:
    """The posting of the address, if the visitor acts for its receiving side; else there is no such page."""
    row = await _find(visit, PostingRow, "posting")
    return _only(row, is_own(visit.signed_in, row.municipality, row.requester))


async def own_activity(visit: Visit) -> ActivityRow:
    row = await _find(visit, ActivityRow, "activity")
    return _only(row, is_own(visit.signed_in, row.municipality, row.requester))


async def own_ask(visit: Visit) -> AskRow:
    row = await _find(visit, AskRow, "ask")
    return _only(row, is_own(visit.signed_in, row.municipality, row.requester))


async def local_volunteer(visit: Visit) -> VolunteerRow:
    """The volunteer of the address, if of the visitor's municipality."""
    row = await _find(visit, VolunteerRow, "volunteer")
    return _only(row, visit.signed_in.organisation == row.municipality)


def _only(row: Row, may_see: bool) -> Row:
    if not may_see:
        raise web.HTTPNotFound
    return row


async def joined(visit: Visit) -> str:
    """The visitor's pseudonym as somebody who asks for help; who is not registered as such is led there first."""
    await own_writes(visit)
    requester = requester_of(visit.signed_in)
    row = await visit.kit.database.read(lambda session: session.get(RequesterRow, requester))
    if row is None:
        raise web.HTTPSeeOther(visit.kit.path("requester_join"))
    return requester


def standing_of(certificate: CertificateRow | None, now_ms: int) -> str:
    """What the newest certificate is worth now; `none` without one."""
    if certificate is None:
        return "none"
    if certificate.status in ("issued", "suspended") and now_ms >= certificate.valid_until_ms + SECOND_MS:
        return "expired"
    return "valid" if certificate.status == "issued" else certificate.status


def standings(session: Session, people: Sequence[VolunteerRow], now_ms: int) -> Mapping[str, str]:
    wanted = [person.certificate for person in people if person.certificate]
    rows = session.scalars(select(CertificateRow).where(CertificateRow.certificate.in_(wanted))).all()
    found = {row.certificate: row for row in rows}
    return {person.volunteer: standing_of(found.get(person.certificate), now_ms) for person in people}


def page_of(session: Session, rows: Select[Row], page: int) -> tuple[Sequence[Row], int]:
    """A page of rows that are in order already, and how many there are."""
    count = session.scalar(select(func.count()).select_from(rows.order_by(None).subquery())) or 0
    return session.scalars(rows.limit(PAGE_ROWS).offset((page - 1) * PAGE_ROWS)).all(), count


async def words_of(visit: Visit, *commitments: str) -> Mapping[str, Words]:
    return await visit.kit.database.read(lambda session: read_words(session, commitments))


def minutes_of(work: ActivityRow) -> int:
    """Minutes from start to end as clocks show them; 0 while it goes on."""
    return 0 if work.ended_ms is None else minutes_between(work.started_ms, work.ended_ms)


def short(pseudonym: str) -> str:
    """What people call a pseudonym: its first letters."""
    return pseudonym[:8]


# -- pages that do one thing -------------------------------------------------------------------------------------------


async def reason_options(visit: Visit) -> Options:
    return {"why": [Option(reason, visit.t(f"why.{reason}")) for reason in REASONS]}


def flash(name: str) -> Flash:
    return Flash(f"{name}.done", {})


def one_call(
    name: str, call: Callable[[Visit, Form], Call], where: Callable[[Visit], str]
) -> Callable[[Session, Visit, Form], Outcome]:
    """The `perform` of a form that makes one call, and leads on to a page of the same record."""

    def perform(session: Session, visit: Visit, value: Form) -> Outcome:
        write = visit.kit.outbox.put(session, name, call(visit, value), reference=name, user=visit.user)
        return Outcome(where(visit), flash(name), write)

    return perform
