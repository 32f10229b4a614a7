"""Reads the sample week of `configs/sample/`: shelters, the item master, and what was entered, in the order of time."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from edge.municipalities import sample_folder


@dataclass(frozen=True, slots=True)
class Shelter:
    shelter: str
    municipality: str
    name_ja: str
    name_en: str
    evacuees: int


@dataclass(frozen=True, slots=True)
class Item:
    item: str
    category: str
    """One of the national list's eight basic goods (基本8品目), or what else it is."""
    name_ja: str
    name_en: str
    unit_ja: str
    needs_expiry: bool
    sizes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the week: what somebody entered on a day at a time."""

    day: int
    time: str
    action: str
    """`need`, `pledge`, `offer`, `request`, `ship` or `receive`."""
    ref: str
    """The row's own name within the file (`N012`), for rows that others refer to."""
    of: str
    """The row that this one refers to: a pledge's need, a request's pledge or offer, a shipment's request."""
    need: str
    """The need that a request is for."""
    shelter: str
    party: str
    """Who entered it: a shelter, or a supporter under its pseudonym."""
    item: str
    size: str
    quantity: int
    boxes: int
    box: int
    """Which box of its request has arrived."""
    priority: str
    beneficiaries: str
    allergens: str
    need_by_day: int | None
    expires_after_days: int | None
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Week:
    shelters: tuple[Shelter, ...]
    items: tuple[Item, ...]
    entries: tuple[Entry, ...]

    @property
    def municipalities(self) -> tuple[str, ...]:
        """The codes of the municipalities that have a shelter here, in the order of the file."""
        return tuple(dict.fromkeys(s.municipality for s in self.shelters))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _number(text: str) -> int | None:
    return int(text) if text else None


def load_week(folder: Path | None = None) -> Week:
    """The week in `folder`; without one, the sample that comes with Daicho."""
    folder = folder or sample_folder()
    shelters = tuple(
        Shelter(r["shelter"], r["municipality"], r["name_ja"], r["name_en"], int(r["evacuees"]))
        for r in _rows(folder / "shelters.csv")
    )
    items = tuple(
        Item(
            item=r["item"],
            category=r["category"],
            name_ja=r["name_ja"],
            name_en=r["name_en"],
            unit_ja=r["unit_ja"],
            needs_expiry=r["needs_expiry"] == "yes",
            sizes=tuple(filter(None, r["sizes"].split("|"))),
        )
        for r in _rows(folder / "items.csv")
    )
    entries = tuple(
        Entry(
            day=int(r["day"]),
            time=r["time"],
            action=r["action"],
            ref=r["ref"],
            of=r["of"],
            need=r["need"],
            shelter=r["shelter"],
            party=r["party"],
            item=r["item"],
            size=r["size"],
            quantity=int(r["quantity"]),
            boxes=_number(r["boxes"]) or 0,
            box=_number(r["box"]) or 0,
            priority=r["priority"],
            beneficiaries=r["beneficiaries"],
            allergens=r["allergens"],
            need_by_day=_number(r["need_by_day"]),
            expires_after_days=_number(r["expires_after_days"]),
            reason=r["reason"],
            note=r["note"],
        )
        for r in _rows(folder / "week.csv")
    )
    return Week(shelters, items, entries)
