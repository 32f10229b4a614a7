"""What can be asked of the donations contract: views, and the bounded scans behind them.

Every list walks one index from a cursor (`after`, the `next` of the page before) and looks at a bounded number of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from contracts.donations import masters
from contracts.donations.types import (
    ARRIVALS,
    BOXES,
    ITEMS,
    NEEDS,
    NEEDS_AT,
    OFFERS,
    OFFERS_OF,
    OPEN_NEEDS,
    OPEN_OFFERS,
    REQUESTS,
    REQUESTS_AT,
    REQUESTS_OF,
    SHELTERS,
    STOCKS,
    Box,
    Item,
    Need,
    Offer,
    Request,
    Stock,
)
from ledger.kv import Reader
from ledger.table import Row, Table

MAX_SCANNED = 2_000
"""Rows that one page looks at: a page may hold fewer than asked for, and still have a next one."""
CHUNK = 200

View = TypeVar("View")


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


class StockPage(msgspec.Struct, frozen=True):
    rows: list[Stock]
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


def select(
    state: Reader, table: Table[Row], view: Callable[[str, Row], View | None], *, prefix: str, after: str, limit: int
) -> tuple[list[View], str]:
    """Up to `limit` views of the rows that have one, from a bounded scan, and where to go on."""
    views: list[View] = []
    for _ in range(MAX_SCANNED // CHUNK):
        page = table.page(state, prefix=prefix, after=after, limit=CHUNK)
        for row_id, row in page:
            after = row_id
            found = view(row_id, row)
            if found is not None:
                views.append(found)
                if len(views) == limit:
                    return views, after
        if len(page) < CHUNK:
            return views, ""
    return views, after


def _last(row_id: str) -> str:
    return row_id.rsplit("/", 1)[1]


def _place(state: Reader, municipality: str, shelter: str) -> str | None:
    """How the ids begin of what is at a shelter, or else in a municipality, or anywhere. None: no such shelter."""
    if not shelter:
        return f"{municipality}/" if municipality else ""
    found = SHELTERS.get(state, shelter)
    if found is None or municipality not in ("", found.municipality):
        return None
    return f"{masters.place(found)}/"


# -- needs -------------------------------------------------------------------------------------------------------------


def need_view(state: Reader, need: Need) -> NeedView:
    return NeedView(need, need.shown, ITEMS.get(state, need.item))


class NeedFilter(msgspec.Struct, frozen=True):
    """D2b: what a search asks for; what is empty is not asked."""

    item: str
    priority: str
    beneficiaries: str

    def fits(self, need: Need) -> bool:
        return (
            self.item in ("", need.item)
            and self.priority in ("", need.priority)
            and self.beneficiaries in ("", need.beneficiaries)
        )


def needs(
    state: Reader, wanted: NeedFilter, *, municipality: str, shelter: str, only_open: bool, after: str, limit: int
) -> NeedPage:
    """Needs at a shelter, in a municipality, or all. Open ones: still shown, and at a shelter that is not closed."""
    prefix = _place(state, municipality, shelter)
    if prefix is None:
        return NeedPage([], "")
    closed: dict[str, bool] = {}

    def is_closed(shelter_id: str) -> bool:
        if shelter_id not in closed:
            found = SHELTERS.get(state, shelter_id)
            closed[shelter_id] = found is None or found.status == "closed"
        return closed[shelter_id]

    def view(row_id: str, _: object) -> NeedView | None:
        need = NEEDS.get(state, _last(row_id))
        if need is None or not wanted.fits(need) or (only_open and is_closed(need.shelter)):
            return None
        return need_view(state, need)

    table = OPEN_NEEDS if only_open else NEEDS_AT
    return NeedPage(*select(state, table, view, prefix=prefix, after=after, limit=limit))


def totals(state: Reader, *, municipality: str, after: str) -> TotalsPage:
    """D7b, over a page of 500 needs."""
    sums: dict[tuple[str, str], list[int]] = {}

    def need_of(row_id: str, _: object) -> Need | None:
        return NEEDS.get(state, _last(row_id))

    rows, following = select(state, NEEDS_AT, need_of, prefix=f"{municipality}/", after=after, limit=500)
    for need in rows:
        row = sums.setdefault((need.item, need.size), [0] * 6)
        values = (need.quantity, need.shown, need.pledged, need.requested, need.shipped, need.arrived)
        for column, value in enumerate(values):
            row[column] += value
    return TotalsPage([ItemTotal(item, size, *sums[item, size]) for item, size in sorted(sums)], following)


# -- offers and requests -----------------------------------------------------------------------------------------------


def offers(state: Reader, *, item: str, supporter: str, only_open: bool, after: str, limit: int) -> OfferPage:
    """D5a: a supporter's own, or all, of an item or of any."""

    def by_id(row_id: str, _: object) -> Offer | None:
        offer = OFFERS.get(state, _last(row_id))
        fits = offer is not None and item in ("", offer.item) and (not only_open or offer.status == "open")
        return offer if fits else None

    if supporter:
        found = select(state, OFFERS_OF, by_id, prefix=f"{supporter}/", after=after, limit=limit)
    elif only_open:
        prefix = f"{item}/" if item else ""
        found = select(state, OPEN_OFFERS, by_id, prefix=prefix, after=after, limit=limit)
    else:
        found = select(
            state, OFFERS, lambda _, o: o if item in ("", o.item) else None, prefix="", after=after, limit=limit
        )
    return OfferPage(*found)


def requests(
    state: Reader, *, municipality: str, shelter: str, supporter: str, status: str, after: str, limit: int
) -> RequestPage:
    """Requests to a supporter, or else those for a shelter, a municipality, or all."""

    def by_id(row_id: str, _: object) -> Request | None:
        request = REQUESTS.get(state, _last(row_id))
        fits = request is not None and status in ("", request.status) and shelter in ("", request.shelter)
        return request if fits else None

    table = REQUESTS_OF if supporter else REQUESTS_AT
    prefix = f"{supporter}/" if supporter else _place(state, municipality, shelter)
    if prefix is None:
        return RequestPage([], "")
    return RequestPage(*select(state, table, by_id, prefix=prefix, after=after, limit=limit))


# -- boxes, arrivals, stock --------------------------------------------------------------------------------------------


def box_view(state: Reader, box_id: str) -> BoxView | None:
    box = BOXES.get(state, box_id)
    request = None if box is None else REQUESTS.get(state, box.request)
    if box is None or request is None:
        return None
    return BoxView(request, box, ITEMS.get(state, request.item))


def arrivals(state: Reader, *, municipality: str, shelter: str, after: str, limit: int) -> ArrivalPage:
    """D7a: shelter by shelter, each in order of time."""
    prefix = _place(state, municipality, shelter)
    if prefix is None:
        return ArrivalPage([], "")
    found = select(state, ARRIVALS, lambda _, f: box_view(state, f.id), prefix=prefix, after=after, limit=limit)
    return ArrivalPage(*found)


def stock(
    state: Reader,
    *,
    municipality: str,
    shelter: str,
    below_minimum: bool,
    expires_before_ms: int | None,
    after: str,
    limit: int,
) -> StockPage:
    """D13f: what is there; only what is below its minimum; only what is near its date."""
    prefix = _place(state, municipality, shelter)
    if prefix is None:
        return StockPage([], "")

    def fits(row: Stock) -> bool:
        near = expires_before_ms is None or (row.expires_ms is not None and row.expires_ms < expires_before_ms)
        return near and (not below_minimum or row.quantity < row.minimum)

    found = select(state, STOCKS, lambda _, s: s if fits(s) else None, prefix=prefix, after=after, limit=limit)
    return StockPage(*found)
