"""What can be asked of the donations contract: views, and the bounded scans behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from contracts.donations.types import BOXES, ITEMS, NEEDS, OFFERS, REQUESTS, Box, Found, Item, Need, Offer, Request
from ledger.kv import Reader
from ledger.table import Row, Table

MAX_SCANNED = 2_000
"""Rows that one page looks at: a page may hold fewer than asked for, and still have a next one."""


class NeedView(msgspec.Struct, frozen=True):
    need: Need
    shown: int
    item: Item | None


class NeedPage(msgspec.Struct, frozen=True):
    rows: list[NeedView]
    next: str
    """Where to go on; empty at the end."""


class OfferPage(msgspec.Struct, frozen=True):
    rows: list[Offer]
    next: str


class RequestPage(msgspec.Struct, frozen=True):
    rows: list[Request]
    next: str


class BoxView(msgspec.Struct, frozen=True):
    """What is in a box, without opening it (D9d)."""

    request: Request
    box: Box
    item: Item | None


class ArrivalPage(msgspec.Struct, frozen=True):
    rows: list[BoxView]
    next: str


class ItemTotal(msgspec.Struct, frozen=True):
    """D7b: an item's units over the needs of a municipality, by bucket."""

    item: str
    size: str
    quantity: int
    open: int
    pledged: int
    requested: int
    shipped: int
    arrived: int


class TotalsPage(msgspec.Struct, frozen=True):
    """Totals over one page of needs; add the pages up."""

    rows: list[ItemTotal]
    next: str


def filtered(
    state: Reader, table: Table[Row], keep: Callable[[str, Row], bool], *, prefix: str, after: str, limit: int
) -> tuple[list[tuple[str, Row]], str]:
    """Up to `limit` rows that `keep` wants, from a bounded scan, and where to go on."""
    rows: list[tuple[str, Row]] = []
    scanned = 0
    while scanned < MAX_SCANNED:
        page = table.page(state, prefix=prefix, after=after, limit=min(200, MAX_SCANNED - scanned))
        for row_id, row in page:
            after = row_id
            scanned += 1
            if keep(row_id, row):
                rows.append((row_id, row))
                if len(rows) == limit:
                    return rows, after
        if len(page) < 200:
            return rows, ""
    return rows, after


def need_view(state: Reader, need: Need) -> NeedView:
    return NeedView(need, need.shown, ITEMS.get(state, need.item))


def last_part(row_id: str) -> str:
    return row_id.rsplit("/", 1)[1]


def needs_by_id(state: Reader, ids: Iterable[str]) -> list[Need]:
    return [need for i in ids if (need := NEEDS.get(state, i)) is not None]


def offers_by_id(state: Reader, ids: Iterable[str]) -> list[Offer]:
    return [offer for i in ids if (offer := OFFERS.get(state, i)) is not None]


def requests_by_id(state: Reader, ids: Iterable[str]) -> list[Request]:
    return [request for i in ids if (request := REQUESTS.get(state, i)) is not None]


def box_view(state: Reader, box_id: str) -> BoxView | None:
    box = BOXES.get(state, box_id)
    request = None if box is None else REQUESTS.get(state, box.request)
    if box is None or request is None:
        return None
    return BoxView(request, box, ITEMS.get(state, request.item))


def box_views(state: Reader, found: Iterable[Found]) -> list[BoxView]:
    return [view for f in found if (view := box_view(state, f.id)) is not None]


def totals(needs: Iterable[Need]) -> list[ItemTotal]:
    sums: dict[tuple[str, str], list[int]] = {}
    for need in needs:
        row = sums.setdefault((need.item, need.size), [0] * 6)
        values = (need.quantity, need.shown, need.pledged, need.requested, need.shipped, need.arrived)
        for place, value in enumerate(values):
            row[place] += value
    return [ItemTotal(item, size, *sums[item, size]) for item, size in sorted(sums)]
