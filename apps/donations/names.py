"""What people call things: shelters, items, municipalities and quantities in the visitor's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.forms import Option
from apps.common.language import day_start_ms, jst, show_number
from apps.common.tables import User
from apps.common.web import Kit, Visit
from apps.donations.signing import OFFICER
from apps.donations.tables import ItemRow, ShelterRow
from ledger.refusal import Language, Text

DAY_MS = 24 * 60 * 60 * 1000

MAX_MASTERS = 5_000


@dataclass(frozen=True)
class Names:
    """The masters, read once for a page."""

    language: Language
    shelters: Mapping[str, ShelterRow]
    items: Mapping[str, ItemRow]
    municipalities: Mapping[str, Text]

    def municipality(self, code: str) -> str:
        text = self.municipalities.get(code)
        if text is None:
            return code
        return text.ja if self.language == "ja" else text.en

    def shelter(self, shelter_id: str) -> str:
        row = self.shelters.get(shelter_id)
        if row is None:
            return shelter_id
        return row.name_ja if self.language == "ja" else row.name_en

    def place(self, shelter_id: str) -> str:
        """The municipality of a shelter."""
        row = self.shelters.get(shelter_id)
        return self.municipality(row.municipality) if row is not None else ""

    def item(self, item_id: str, size: str = "") -> str:
        row = self.items.get(item_id)
        name = item_id if row is None else row.name_ja if self.language == "ja" else row.name_en
        if not size:
            return name
        return f"{name}({size})" if self.language == "ja" else f"{name} ({size})"

    def quantity(self, count: int, item_id: str) -> str:
        """`1,200本`; English readers get the number alone, since units are Japanese counters."""
        row = self.items.get(item_id)
        unit = row.unit_ja if row is not None and self.language == "ja" else ""
        return show_number(count) + unit

    def own_shelters(self, user: User) -> list[ShelterRow]:
        """The shelters that the user acts for: an officer for all of the municipality, staff for their own."""
        if OFFICER in user.roles:
            return sorted(
                (s for s in self.shelters.values() if s.municipality == user.organisation), key=lambda s: s.shelter
            )
        own = self.shelters.get(user.place)
        return [own] if own is not None and own.municipality == user.organisation else []

    def shelter_options(self, user: User) -> list[Option]:
        return [Option(s.shelter, self.shelter(s.shelter)) for s in self.own_shelters(user)]

    def item_options(self, *, only_in_use: bool = True) -> list[Option]:
        """Items by category, each of their sizes a choice of its own (`water-2l/`, `diaper/M`)."""
        rows = sorted(self.items.values(), key=lambda i: (i.category, i.item))
        return [
            Option(f"{row.item}/{size}", self.item(row.item, size))
            for row in rows
            if row.in_use or not only_in_use
            for size in (row.sizes or [""])
        ]


def split_goods(goods: str) -> tuple[str, str]:
    """Item and size of a choice of `item_options`."""
    item, _, size = goods.partition("/")
    return item, size


def read_names(session: Session, language: Language, municipalities: Mapping[str, Text]) -> Names:
    shelters = session.scalars(select(ShelterRow).limit(MAX_MASTERS)).all()
    items = session.scalars(select(ItemRow).limit(MAX_MASTERS)).all()
    return Names(language, {s.shelter: s for s in shelters}, {i.item: i for i in items}, municipalities)


async def load_names(visit: Visit) -> Names:
    return await visit.kit.database.read(lambda session: read_names(session, visit.language, towns(visit.kit)))


def towns(kit: Kit) -> Mapping[str, Text]:
    """The municipalities on the chain, by code: the catalogue has their names under `municipality.<code>`."""
    prefix = "municipality."
    return {key.removeprefix(prefix): text for key, text in kit.catalogue.texts.items() if key.startswith(prefix)}


def end_of_day_ms(time_ms: int) -> int:
    """The last millisecond of the day (JST) of a moment."""
    return day_start_ms(jst(time_ms).date()) + DAY_MS - 1
