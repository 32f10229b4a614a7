"""Members as their municipality keeps them: list, one member, added and changed at the counter, removed (E4c)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from apps.common import accounts, forms
from apps.common.access_log import note_view
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Options, Problem
from apps.common.outbox import Call, Settled
from apps.common.tables import User
from apps.common.web import Flash, Kit, View, Visit
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.books.looking import asker
from apps.ecopoints.copy import own_writes
from apps.ecopoints.people import keeping
from apps.ecopoints.people.figures import REGION_UNKNOWN, MonthFigure, figures_of, total
from apps.ecopoints.people.joining import PHONE, REGISTER, kind_options
from apps.ecopoints.people.looking import (
    PAGE_ROWS,
    NamedDevice,
    active_member,
    devices_of,
    is_own,
    named_devices,
    names_of,
    note_look,
    own_member,
    seen_member,
)
from apps.ecopoints.people.tables import EcoDocument, EcoPerson, EcoPlate
from apps.ecopoints.signing import MEMBER, MEMBERS, MUNICIPAL, OFFICERS, READERS, app_call, officer_call
from apps.ecopoints.tables import DeviceRow, MemberRow
from contracts.ecopoints.types import Programme
from contracts.points.queries import AccountView
from ledger.encoding import Value

LEAVE = "member.leave"


@dataclass(frozen=True)
class PersonFields:
    name: str = forms.text(max_length=100)
    address: str = forms.text(max_length=200)
    phone: str = forms.text(required=False, max_length=20, pattern=PHONE)


@dataclass(frozen=True)
class NewMember(PersonFields):
    """Somebody who comes to the counter; without an address for mail the municipality enters what they bring."""

    kind: str = forms.radio()
    email: str = forms.email(required=False, autocomplete="off")


@dataclass(frozen=True)
class Remove:
    sure: bool = forms.tick(required=True)


# -- the list and one member -------------------------------------------------------------------------------------------


async def programme_region(visit: Visit, municipality: str) -> str:
    """The region that the programme is in now."""
    found = await (await asker(visit.kit)).one(Programme, "programme", {"municipality": municipality})
    return found.region if found is not None else REGION_UNKNOWN


def _searched(municipality: str, search: str, state: str) -> Select[MemberRow]:
    rows = select(MemberRow).where(MemberRow.municipality == municipality)
    if state == "left":
        rows = rows.where(MemberRow.left_ms.is_not(None))
    elif state != "all":
        rows = rows.where(MemberRow.left_ms.is_(None))
    if search:
        like = f"%{search.replace('%', '').replace('_', '')}%"
        people = select(EcoPerson.member).outerjoin(User, User.id == EcoPerson.user_id)
        found = people.where(EcoPerson.name.like(like) | EcoPerson.address.like(like) | User.email.like(like))
        plates = select(EcoPlate.member).where(EcoPlate.serial_text.like(like) | EcoPlate.place_text.like(like))
        rows = rows.where(MemberRow.member.in_(found) | MemberRow.member.in_(plates) | (MemberRow.member == search))
    return rows


@dataclass(frozen=True, slots=True)
class MemberLine:
    row: MemberRow
    name: str
    devices: int
    kilograms: str


async def show_members(visit: Visit) -> web.StreamResponse:
    """Search by name, address, mail, serial number; the look is recorded (X5)."""
    await own_writes(visit)
    municipality, page = visit.signed_in.organisation, visit.page_number()
    search, state = visit.query("q", 60), visit.query("state", 8)
    await note_view(visit, "members", municipality)
    region = await programme_region(visit, municipality)

    def look(session: Session) -> tuple[list[MemberLine], int, int]:
        rows = _searched(municipality, search, state)
        count = session.scalar(select(func.count()).select_from(rows.subquery())) or 0
        shown = session.scalars(
            rows.order_by(MemberRow.number).offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)
        ).all()  # fmt: skip
        names = names_of(session, [row.member for row in shown])
        applied = select(func.count()).select_from(EcoPerson)
        waiting = applied.where(EcoPerson.municipality == municipality, EcoPerson.state == "applied")
        return [_line(session, row, names, region, visit.now_ms) for row in shown], count, session.scalar(waiting) or 0

    lines, count, waiting = await visit.kit.database.read(look)
    return visit.render(
        "ecopoints/people/members.html", lines=lines, count=count, page=page, page_rows=PAGE_ROWS, search=search,
        state=state, waiting=waiting,
    )  # fmt: skip


def _line(session: Session, row: MemberRow, names: Mapping[str, str], region: str, now_ms: int) -> MemberLine:
    devices = devices_of(session, row.member)
    kilograms = total(figures_of(session, devices, region, now_ms), settled=True)
    in_use = sum(device.retired_ms is None for device in devices)
    return MemberLine(row, names.get(row.member, ""), in_use, show_kg(kilograms))


@dataclass(frozen=True, slots=True)
class MemberLook:
    """What a member's page shows."""

    person: EcoPerson | None
    email: str
    devices: Sequence[NamedDevice]
    figures: Sequence[MonthFigure]
    documents: int


def look_at_member(session: Session, visit: Visit, row: MemberRow, region: str) -> MemberLook:
    person = session.get(EcoPerson, row.member)
    user = session.scalar(select(User).where(User.pseudonym == row.member))
    devices = named_devices(session, visit, row.member)
    figures = figures_of(session, [device.row for device in devices], region, visit.now_ms)
    documents = select(func.count()).select_from(EcoDocument).where(EcoDocument.member == row.member)
    return MemberLook(person, user.email if user is not None else "", devices, figures, session.scalar(documents) or 0)


async def points_of(visit: Visit, member: str) -> AccountView | None:
    return await (await asker(visit.kit)).one(AccountView, "points_account", {"account": member})


async def show_member(visit: Visit) -> web.StreamResponse:
    member = await seen_member(visit)
    if is_own(visit.signed_in, member.member):
        return visit.redirect(visit.kit.path("mine"))
    await note_look(visit, "member", member.member)
    region = await programme_region(visit, member.municipality)
    found = await visit.kit.database.read(lambda session: look_at_member(session, visit, member, region))
    return visit.render(
        "ecopoints/people/member.html", member=member, found=found, points=await points_of(visit, member.member),
        settled=show_kg(total(found.figures, settled=True)), forecast=show_kg(total(found.figures, settled=False)),
    )  # fmt: skip


# -- added and changed at the counter ----------------------------------------------------------------------------------


async def _kinds(visit: Visit) -> Options:
    return {"kind": kind_options(visit)}


def _new_member(session: Session, visit: Visit, value: NewMember) -> Outcome:
    officer = visit.signed_in
    pseudonym, user_id = accounts.new_pseudonym(), None
    if value.email:
        if accounts.find(session, value.email) is not None:
            raise FormRefused({"email": Problem("account.taken")})
        user = accounts.create(
            session, email=value.email, name=value.name, password_hash="", roles=[MEMBER], now_ms=visit.now_ms,
            organisation=officer.organisation, language=visit.language,
        )  # fmt: skip
        pseudonym, user_id = user.pseudonym, user.id
        link = visit.kit.url("reset", token=accounts.new_link(session, user, accounts.RESET, visit.now_ms))
        visit.kit.mails.tell(session, user, "welcome", link=link)
    session.add(
        EcoPerson(
            member=pseudonym, user_id=user_id, municipality=officer.organisation, kind=value.kind, name=value.name,
            address=value.address, phone=value.phone, state="applied", reason="", applied_ms=visit.now_ms,
        )
    )  # fmt: skip
    call = officer_call(officer, "register_member", {"member": pseudonym, "kind": value.kind})
    write = visit.kit.outbox.put(session, REGISTER, call, reference=f"member:{pseudonym}", user=visit.user)
    return Outcome(visit.kit.path("member", member=pseudonym), Flash("member_new.done", {}), write)


async def _about_member(visit: Visit) -> Mapping[str, object]:
    member = await active_member(visit)
    await note_look(visit, "member", member.member)
    person = await visit.kit.database.read(lambda session: session.get(EcoPerson, member.member))
    return {"member": member, "person": person}


async def _edit_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    person = await visit.kit.database.read(lambda session: session.get(EcoPerson, visit.part("member")[:64]))
    return {} if person is None else forms.typed_from(PersonFields(person.name, person.address, person.phone))


def _edit(session: Session, visit: Visit, value: PersonFields) -> Outcome:
    member = session.get_one(MemberRow, visit.part("member"))
    person = session.get(EcoPerson, member.member)
    user = session.scalar(select(User).where(User.pseudonym == member.member))
    if person is None:
        person = EcoPerson(
            member=member.member, user_id=user.id if user is not None else None, municipality=member.municipality,
            kind=member.kind, state="joined", reason="", applied_ms=member.joined_ms,
        )  # fmt: skip
        session.add(person)
    person.name, person.address, person.phone = value.name, value.address, value.phone
    if user is not None:
        user.name = value.name
    return Outcome(visit.kit.path("member", member=member.member), Flash("member_edit.done", {}))


# -- removed -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays after a member is removed: documents that a certified period rests on, and until when."""

    documents: int
    until_ms: int


def _kept(session: Session, member: str, now_ms: int) -> Kept:
    until = [keeping.kept_until_ms(session, member, d.device) for d in keeping.documents_of(session, member)]
    return Kept(sum(ms > now_ms for ms in until), max(until, default=0))


async def _leaving(visit: Visit, member: MemberRow) -> Mapping[str, object]:
    def look(session: Session) -> tuple[Kept, int]:
        devices = select(func.count()).select_from(DeviceRow)
        in_use = devices.where(DeviceRow.member == member.member, DeviceRow.retired_ms.is_(None))
        return _kept(session, member.member, visit.now_ms), session.scalar(in_use) or 0

    kept, devices = await visit.kit.database.read(look)
    name = await visit.kit.database.read(lambda session: names_of(session, [member.member]).get(member.member, ""))
    return {
        "member": member, "name": name, "kept": kept, "devices": devices,
        "points": await points_of(visit, member.member),
    }  # fmt: skip


async def _removal_context(visit: Visit) -> Mapping[str, object]:
    member = await active_member(visit)
    await note_look(visit, "member", member.member)
    return await _leaving(visit, member)


async def _leave_context(visit: Visit) -> Mapping[str, object]:
    member = await own_member(visit)
    if member is None or member.left_ms is not None:
        raise web.HTTPNotFound
    return await _leaving(visit, member)


def _put_leave(session: Session, visit: Visit, call: Call, member: str, page: str) -> Outcome:
    write = visit.kit.outbox.put(session, LEAVE, call, reference=f"member:{member}", user=visit.user)
    return Outcome(visit.kit.path("members" if page == "member_remove" else "home"), Flash(f"{page}.done", {}), write)


def _remove(session: Session, visit: Visit, value: Remove) -> Outcome:
    member = visit.part("member")
    arguments: dict[str, Value] = {"member": member}
    return _put_leave(session, visit, officer_call(visit.signed_in, "leave", arguments), member, "member_remove")


def _leave(session: Session, visit: Visit, value: Remove) -> Outcome:
    user = visit.signed_in
    row = session.get_one(MemberRow, user.pseudonym)
    call = app_call(row.municipality, "leave", {"member": row.member})
    return _put_leave(session, visit, call, row.member, "leave")


def left(kit: Kit, settled: Settled) -> None:
    """The chain says that the member has left: who it was is forgotten in the same transaction."""
    if settled.done:
        keeping.erase_member(settled.session, settled.write.reference.removeprefix("member:"), kit.clock())


FOLLOW_UPS = {LEAVE: left}
PAGES = (
    View("members", "/members", show_members, MUNICIPAL),
    FormPage("member_new", "/members/new", OFFICERS, NewMember, _new_member, options=_kinds),
    View("member", "/members/{member}", show_member, READERS | MEMBERS),
    FormPage(
        "member_edit", "/members/{member}/edit", OFFICERS, PersonFields, _edit, initial=_edit_initial,
        context=_about_member,
    ),
    FormPage(
        "member_remove", "/members/{member}/remove", OFFICERS, Remove, _remove, context=_removal_context, review=False,
        template="ecopoints/people/remove.html",
    ),
    FormPage(
        "leave", "/mine/leave", MEMBERS, Remove, _leave, context=_leave_context, review=False,
        template="ecopoints/people/remove.html",
    ),
)  # fmt: skip
