"""管理: shelters and the item master, one by one (D10). `masters_files` has them as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms, personal
from apps.common.access_log import note_view
from apps.common.form_page import FormPage, FormRefused, Outcome
from apps.common.forms import Option, Options, Problem
from apps.common.outbox import Call
from apps.common.tables import User
from apps.common.web import EVERYBODY, Flash, View, Visit
from apps.donations import lists
from apps.donations.copy import own_writes
from apps.donations.lists import NeedSearch
from apps.donations.names import Names, load_names
from apps.donations.needs import category_label
from apps.donations.signing import ADMIN, ADMINS, OFFICER, SHELTER, account_of, admin_call, staff_account
from apps.donations.tables import Contact, ShelterRow
from ledger.encoding import Value

ID = r"[a-z0-9][a-z0-9-]{0,47}"
PHONE = r"[0-9+() -]{6,20}"
STATES = ("open", "full", "closed")
MASTERS = frozenset({ADMIN, OFFICER})


# -- shelters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShelterFields:
    """D10a."""

    name_ja: str = forms.text(max_length=80)
    name_en: str = forms.text(max_length=80)
    address: str = forms.text(required=False, max_length=200)
    person: str = forms.text(required=False, max_length=60)
    email: str = forms.email(required=False, autocomplete="off")
    phone: str = forms.text(required=False, max_length=20, pattern=PHONE)


@dataclass(frozen=True)
class NewShelter(ShelterFields):
    shelter: str = forms.text(max_length=48, pattern=ID)


@dataclass(frozen=True)
class ShelterStatus:
    """D10c."""

    status: str = forms.radio()
    redirect_to: str = forms.choice(required=False)


async def show_shelters(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    names = await load_names(visit)
    town = visit.query("municipality", 6)
    rows = [s for s in names.shelters.values() if town in ("", s.municipality)]
    return visit.render(
        "donations/shelters.html", names=names, shelters=sorted(rows, key=lambda s: (s.municipality, s.shelter)),
        town=town, towns=sorted({s.municipality for s in names.shelters.values()}),
        is_admin=visit.user is not None and ADMIN in visit.user.roles,
    )  # fmt: skip


async def find_shelter(visit: Visit) -> tuple[ShelterRow, Names]:
    await own_writes(visit)
    names = await load_names(visit)
    found = names.shelters.get(visit.part("shelter"))
    if found is None:
        raise web.HTTPNotFound
    return found, names


async def show_shelter(visit: Visit) -> web.StreamResponse:
    """A shelter and what it needs. Who runs it sees how it is reached, and that look is recorded (X5)."""
    shelter, names = await find_shelter(visit)
    sees_contact = visit.user is not None and _sees_contact(visit.user, shelter)
    if sees_contact:
        await note_view(visit, "shelter_contact", shelter.shelter)

    def look(session: Session) -> tuple[Sequence[object], int, Contact | None]:
        needs, count = lists.find_needs(session, NeedSearch(shelter=shelter.shelter), visit.page_number())
        return needs, count, session.get(Contact, shelter.shelter) if sees_contact else None

    needs, count, contact = await visit.kit.database.read(look)
    return visit.render(
        "donations/shelter.html", names=names, shelter=shelter, needs=needs, count=count, page=visit.page_number(),
        page_rows=lists.PAGE_ROWS, contact=contact,
        may_change=visit.user is not None and _may_change(visit.user, shelter),
        is_admin=visit.user is not None and ADMIN in visit.user.roles,
    )  # fmt: skip


def _sees_contact(user: User, shelter: ShelterRow) -> bool:
    if user.organisation != shelter.municipality:
        return False
    return not MASTERS.isdisjoint(user.roles) or (SHELTER in user.roles and user.place == shelter.shelter)


def _may_change(user: User, shelter: ShelterRow) -> bool:
    return user.organisation == shelter.municipality and not MASTERS.isdisjoint(user.roles)


def keep_contact(session: Session, shelter: str, value: ShelterFields) -> str:
    """The contact stays here; what comes back is the commitment to it for the chain. Empty if there is none."""
    contact = Contact(
        shelter=shelter, address=value.address, person=value.person, email=value.email, phone=value.phone,
        language="ja",
    )  # fmt: skip
    session.merge(contact)
    told = (value.address, value.person, value.email, value.phone)
    if not any(told):
        return ""
    return personal.commit_to(session, f"shelter:{shelter}", "contact", "\n".join(told).encode())


def register_call(session: Session, user: User, value: NewShelter) -> Call:
    arguments: dict[str, Value] = {
        "shelter": value.shelter, "name_ja": value.name_ja, "name_en": value.name_en,
        "contact": keep_contact(session, value.shelter, value), "staff": [staff_account(user.organisation)],
    }  # fmt: skip
    return admin_call(user, "register_shelter", arguments)


def change_call(session: Session, user: User, row: ShelterRow, value: ShelterFields) -> Call:
    staff = sorted({*row.staff, staff_account(user.organisation)})
    arguments: dict[str, Value] = {
        "shelter": row.shelter, "name_ja": value.name_ja, "name_en": value.name_en,
        "contact": keep_contact(session, row.shelter, value), "staff": list(staff),
    }  # fmt: skip
    return admin_call(user, "change_shelter", arguments)


def _new_shelter(session: Session, visit: Visit, value: NewShelter) -> Outcome:
    if session.get(ShelterRow, value.shelter) is not None:
        raise FormRefused({"shelter": Problem("new_shelter.taken")})
    call = register_call(session, visit.signed_in, value)
    write = visit.kit.outbox.put(session, "shelter", call, reference=f"shelter:{value.shelter}", user=visit.user)
    return Outcome(visit.kit.path("shelter", shelter=value.shelter), Flash("new_shelter.done", {}), write)


async def _edit_context(visit: Visit) -> Mapping[str, object]:
    shelter, names = await find_shelter(visit)
    if not _may_change(visit.signed_in, shelter):
        raise web.HTTPForbidden
    return {"shelter": shelter, "names": names}


async def _edit_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    shelter, _ = await find_shelter(visit)
    await note_view(visit, "shelter_contact", shelter.shelter)
    contact = await visit.kit.database.read(lambda session: session.get(Contact, shelter.shelter))
    value = ShelterFields(
        shelter.name_ja, shelter.name_en, *(contact.address, contact.person, contact.email, contact.phone)
        if contact is not None else ("", "", "", ""),
    )  # fmt: skip
    return forms.typed_from(value)


def _edit_shelter(session: Session, visit: Visit, value: ShelterFields) -> Outcome:
    row = session.get_one(ShelterRow, visit.part("shelter"))
    call = change_call(session, visit.signed_in, row, value)
    write = visit.kit.outbox.put(session, "shelter", call, reference=f"shelter:{row.shelter}", user=visit.user)
    return Outcome(visit.kit.path("shelter", shelter=row.shelter), Flash("edit_shelter.done", {}), write)


async def _status_options(visit: Visit) -> Options:
    shelter, names = await find_shelter(visit)
    others = [
        s for s in names.shelters.values()
        if s.municipality == shelter.municipality and s.shelter != shelter.shelter and s.status != "closed"
    ]  # fmt: skip
    return {
        "status": [Option(s, visit.t(f"shelter_state.{s}"), visit.t(f"shelter_state.{s}_hint")) for s in STATES],
        "redirect_to": [Option(s.shelter, names.shelter(s.shelter)) for s in sorted(others, key=lambda s: s.shelter)],
    }


async def _status_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    shelter, _ = await find_shelter(visit)
    return {"status": (shelter.status,), "redirect_to": (shelter.redirect_to,)}


async def _check_status(visit: Visit, value: ShelterStatus) -> Mapping[str, Problem]:
    if value.status == "open" and value.redirect_to:
        return {"redirect_to": Problem("shelter_status.open_redirect")}
    return {}


def _set_status(session: Session, visit: Visit, value: ShelterStatus) -> Outcome:
    user, shelter = visit.signed_in, visit.part("shelter")
    role = OFFICER if OFFICER in user.roles else ADMIN
    arguments = {"shelter": shelter, "status": value.status, "redirect_to": value.redirect_to}
    call = Call(account_of(user, role), "donations", "set_shelter_status", arguments)
    write = visit.kit.outbox.put(session, "shelter", call, reference=f"shelter:{shelter}", user=user)
    return Outcome(visit.kit.path("shelter", shelter=shelter), Flash("shelter_status.done", {}), write)


# -- items -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ItemFields:
    """D10b."""

    name_ja: str = forms.text(max_length=80)
    name_en: str = forms.text(max_length=80)
    category: str = forms.text(max_length=48, pattern=ID)
    unit_ja: str = forms.text(max_length=20)
    sizes: str = forms.text(required=False, max_length=300)
    needs_expiry: bool = forms.tick()
    in_use: bool = forms.tick()


@dataclass(frozen=True)
class NewItem(ItemFields):
    item: str = forms.text(max_length=48, pattern=ID)


def split_sizes(text: str) -> list[Value]:
    return [size for size in (part.strip() for part in text.replace("、", ",").split(",")) if size]


def item_arguments(item: str, value: ItemFields) -> dict[str, Value]:
    return {
        "item": item, "name_ja": value.name_ja, "name_en": value.name_en, "category": value.category,
        "unit_ja": value.unit_ja, "sizes": split_sizes(value.sizes), "needs_expiry": value.needs_expiry,
    }  # fmt: skip


async def show_items(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    names = await load_names(visit)
    return visit.render(
        "donations/items.html", names=names, items=sorted(names.items.values(), key=lambda i: (i.category, i.item)),
        label=lambda c: category_label(visit, c), mine=visit.signed_in.organisation,
    )  # fmt: skip


async def _new_item_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    return {"in_use": ("1",)}


def _new_item(session: Session, visit: Visit, value: NewItem) -> Outcome:
    call = admin_call(visit.signed_in, "register_item", item_arguments(value.item, value))
    write = visit.kit.outbox.put(session, "item", call, reference=f"item:{value.item}", user=visit.user)
    return Outcome(visit.kit.path("items"), Flash("new_item.done", {}), write)


async def _item_context(visit: Visit) -> Mapping[str, object]:
    await own_writes(visit)
    item = (await load_names(visit)).items.get(visit.part("item"))
    if item is None:
        raise web.HTTPNotFound
    if item.kept_by != visit.signed_in.organisation:
        raise web.HTTPForbidden
    return {"item": item}


async def _item_initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    row = (await load_names(visit)).items[visit.part("item")]
    value = ItemFields(
        row.name_ja, row.name_en, row.category, row.unit_ja, ", ".join(row.sizes), row.needs_expiry, row.in_use
    )
    return forms.typed_from(value)


def _edit_item(session: Session, visit: Visit, value: ItemFields) -> Outcome:
    item = visit.part("item")
    arguments = {**item_arguments(item, value), "in_use": value.in_use}
    call = admin_call(visit.signed_in, "change_item", arguments)
    write = visit.kit.outbox.put(session, "item", call, reference=f"item:{item}", user=visit.user)
    return Outcome(visit.kit.path("items"), Flash("edit_item.done", {}), write)


PAGES = (
    View("shelters", "/shelters", show_shelters, EVERYBODY),
    FormPage(
        "new_shelter", "/shelters/new", ADMINS, NewShelter, _new_shelter
    ),
    View("shelter", "/shelters/{shelter}", show_shelter, EVERYBODY),
    FormPage(
        "edit_shelter", "/shelters/{shelter}/edit", ADMINS, ShelterFields, _edit_shelter, initial=_edit_initial,
        context=_edit_context,
    ),
    FormPage(
        "shelter_status", "/shelters/{shelter}/status", MASTERS, ShelterStatus, _set_status, options=_status_options,
        initial=_status_initial, context=_edit_context, check=_check_status,
    ),
    View("items", "/items", show_items, MASTERS),
    FormPage("new_item", "/items/new", ADMINS, NewItem, _new_item, initial=_new_item_initial),
    FormPage(
        "edit_item", "/items/{item}/edit", ADMINS, ItemFields, _edit_item, initial=_item_initial,
        context=_item_context,
    ),
)  # fmt: skip
