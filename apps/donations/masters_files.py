"""D10d: shelters and items as CSV, out and in. Every wrong cell is named by row and column; nothing is half read in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms, sheets
from apps.common.access_log import note_view
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Problem, Upload
from apps.common.language import jst
from apps.common.sheets import Imported
from apps.common.web import Flash, View, Visit
from apps.donations.masters import (
    MASTERS,
    ItemFields,
    NewItem,
    NewShelter,
    change_call,
    item_arguments,
    register_call,
    split_sizes,
)
from apps.donations.names import load_names
from apps.donations.signing import ADMINS, admin_call
from apps.donations.tables import Contact, ItemRow, ShelterRow
from ledger.refusal import Refused

MAX_PROBLEMS = 100
T = TypeVar("T", NewShelter, NewItem)


@dataclass(frozen=True)
class Import:
    table: Upload | None = forms.file(accept=".csv,.xlsx")


# -- out ---------------------------------------------------------------------------------------------------------------


async def download_shelters(visit: Visit) -> web.StreamResponse:
    """The shelters of the visitor's municipality, as they can be read in again. The look is recorded (X5)."""
    names, mine = await load_names(visit), visit.signed_in.organisation
    await note_view(visit, "shelter_contacts", mine)
    own = sorted((s for s in names.shelters.values() if s.municipality == mine), key=lambda s: s.shelter)
    contacts = await visit.kit.database.read(lambda session: {s.shelter: session.get(Contact, s.shelter) for s in own})
    columns = tuple(forms.specs(NewShelter))
    rows: list[list[sheets.Cell]] = []
    for s in own:
        c = contacts[s.shelter]
        told = (c.address, c.person, c.email, c.phone) if c is not None else ("", "", "", "")
        value = asdict(NewShelter(s.name_ja, s.name_en, *told, s.shelter))
        rows.append([value[column] for column in columns])
    data = sheets.write_csv([visit.t(f"new_shelter.{c}") for c in columns], rows)
    return visit.download(data, f"shelters-{mine}-{jst(visit.now_ms):%Y%m%d}.csv", sheets.CSV_TYPE)


async def download_items(visit: Visit) -> web.StreamResponse:
    names = await load_names(visit)
    columns = tuple(forms.specs(NewItem))
    yes, no = visit.t("form.yes"), visit.t("form.no")
    rows: list[list[sheets.Cell]] = []
    for item in sorted(names.items.values(), key=lambda i: (i.category, i.item)):
        value = asdict(_item_fields(item)) | {"item": item.item}
        cells = {name: yes if cell is True else no if cell is False else cell for name, cell in value.items()}
        rows.append([cells[column] for column in columns])
    data = sheets.write_csv([visit.t(f"new_item.{c}") for c in columns], rows)
    return visit.download(data, f"items-{jst(visit.now_ms):%Y%m%d}.csv", sheets.CSV_TYPE)


def _item_fields(row: ItemRow) -> ItemFields:
    return ItemFields(
        row.name_ja, row.name_en, row.category, row.unit_ja, ", ".join(row.sizes), row.needs_expiry, row.in_use
    )


# -- in ----------------------------------------------------------------------------------------------------------------


def _labels(visit: Visit, page: str) -> Callable[[str], Sequence[str]]:
    def labels(name: str) -> Sequence[str]:
        text = visit.kit.catalogue.texts[f"{page}.{name}"]
        return (visit.t(f"{page}.{name}"), text.ja, text.en)

    return labels


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A wrong row or cell, as the page shows it."""

    row: int
    column: str
    text: str


def _read(visit: Visit, upload: Upload, form: type[T], page: str) -> Imported[T]:
    """`Refused(SheetReason)` if it is no table."""
    return sheets.import_table(upload, form, _labels(visit, page), {})


def _tell(visit: Visit, problems: list[RowProblem]) -> dict[str, Problem]:
    """All wrong rows for the page (`visit.noted`), and the field's own sentence."""
    if not problems:
        return {}
    visit.noted["import_problems"] = problems[:MAX_PROBLEMS]
    return {"table": Problem("import.wrong", {"count": len(problems)})}


def _checker(
    form: type[T], page: str, id_of: Callable[[T], str], owners: Callable[[Session], Mapping[str, str]]
) -> Callable[[Visit, Import], Awaitable[Mapping[str, Problem]]]:
    """Reads the whole file first: wrong cells, and rows about what another municipality keeps (X6)."""

    async def check(visit: Visit, value: Import) -> Mapping[str, Problem]:
        if value.table is None:
            return {"table": Problem("form.file_needed")}
        try:
            found = _read(visit, value.table, form, page)
        except Refused as refused:
            reason = refused.reason.text(visit.language, refused.params)
            return {"table": Problem("import.unreadable", {"reason": reason})}
        known = await visit.kit.database.read(owners)
        problems = [RowProblem(p.row, p.column, visit.t(p.problem.key, **p.problem.params)) for p in found.problems]
        mine = visit.signed_in.organisation
        foreign = [row for row, one in found.rows if known.get(id_of(one), mine) != mine]
        problems += [RowProblem(row, "", visit.t("import.foreign")) for row in foreign]
        return _tell(visit, sorted(problems, key=lambda p: p.row))

    return check


def _shelter_owners(session: Session) -> Mapping[str, str]:
    return {row.shelter: row.municipality for row in session.query(ShelterRow).limit(5_000)}


def _item_owners(session: Session) -> Mapping[str, str]:
    return {row.item: row.kept_by for row in session.query(ItemRow).limit(5_000)}


def _import_shelters(session: Session, visit: Visit, value: Import) -> Outcome:
    changed = 0
    for _, row in _rows(visit, value, NewShelter, "new_shelter"):
        there = session.get(ShelterRow, row.shelter)
        contact = session.get(Contact, row.shelter)
        if there is not None and contact is not None and _same_shelter(there, contact, row):
            continue
        user = visit.signed_in
        call = register_call(session, user, row) if there is None else change_call(session, user, there, row)
        visit.kit.outbox.put(session, "shelter", call, reference=f"shelter:{row.shelter}", user=user)
        changed += 1
    return Outcome(visit.kit.path("shelters"), Flash("import.done", {"count": changed}))


def _same_shelter(there: ShelterRow, contact: Contact, row: NewShelter) -> bool:
    before = (there.name_ja, there.name_en, contact.address, contact.person, contact.email, contact.phone)
    return before == (row.name_ja, row.name_en, row.address, row.person, row.email, row.phone)


def _import_items(session: Session, visit: Visit, value: Import) -> Outcome:
    changed = 0
    for _, row in _rows(visit, value, NewItem, "new_item"):
        there = session.get(ItemRow, row.item)
        arguments = item_arguments(row.item, row)
        if there is None:
            call = admin_call(visit.signed_in, "register_item", arguments)
        elif _same_item(there, row):
            continue
        else:
            call = admin_call(visit.signed_in, "change_item", {**arguments, "in_use": row.in_use})
        visit.kit.outbox.put(session, "item", call, reference=f"item:{row.item}", user=visit.user)
        changed += 1
    return Outcome(visit.kit.path("items"), Flash("import.done", {"count": changed}))


def _same_item(there: ItemRow, row: NewItem) -> bool:
    before, after = _item_fields(there), row
    return (
        before.name_ja, before.name_en, before.category, before.unit_ja, there.sizes, there.needs_expiry, there.in_use,
    ) == (
        after.name_ja, after.name_en, after.category, after.unit_ja, split_sizes(after.sizes), after.needs_expiry,
        after.in_use,
    )  # fmt: skip


def _rows(visit: Visit, value: Import, form: type[T], page: str) -> Sequence[tuple[int, T]]:
    # The check has read the same bytes without a problem.
    return _read(visit, value.table, form, page).rows if value.table is not None else ()


PAGES = (
    View("shelters_csv", "/shelters.csv", download_shelters, ADMINS),
    FormPage(
        "import_shelters", "/shelters/import", ADMINS, Import, _import_shelters, review=False,
        template="donations/import.html",
        check=_checker(
            NewShelter, "new_shelter",
            lambda row: row.shelter,
            _shelter_owners,
        ),
    ),
    View("items_csv", "/items.csv", download_items, MASTERS),
    FormPage(
        "import_items", "/items/import", ADMINS, Import, _import_items, review=False, template="donations/import.html",
        check=_checker(
            NewItem, "new_item",
            lambda row: row.item,
            _item_owners,
        ),
    ),
)  # fmt: skip
