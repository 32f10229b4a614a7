"""What the copy of the chain's rows holds: needs, offers, requests, boxes, shelters, items and stocks.

`apps.common.copying` follows the chain and writes; here is which rows an event names, and how they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import delete
from sqlalchemy.orm import Session

from apps.common.chain import Plain, Step
from apps.common.copying import Asker, Copy, fields, gather
from apps.common.database import Base
from apps.donations.signing import CONTRACT
from apps.donations.tables import BoxRow, ItemRow, NeedRow, OfferRow, RequestRow, ShelterRow, StockRow
from contracts.donations.queries import BoxView, NeedView, StockPage
from contracts.donations.types import Item, Offer, Request, Shelter
from ledger.schema import from_plain

CURSOR = "donations-copy-1"
"""With another number the copy is built anew: raise it when its tables change."""
PAGE = 100

TOPICS = ("needs", "offers", "requests", "arrivals", "stock", "masters")
STOCK_EVENTS = frozenset({"received", "stock_taken", "transferred"})


@dataclass(slots=True)
class Changed:
    """The ids of rows that events named."""

    needs: set[str] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    shelters: set[str] = field(default_factory=set)
    stocks: set[str] = field(default_factory=set)
    """Shelters whose stock changed."""
    has_items: bool = False
    has_arrivals: bool = False

    def note(self, steps: Iterable[Step]) -> None:
        for step in steps:
            name = step.event.name
            self.has_arrivals |= name == "received"
            for subject in step.event.subjects:
                kind, _, row_id = subject.partition(":")
                match kind:
                    case "need":
                        self.needs.add(row_id)
                    case "offer":
                        self.offers.add(row_id)
                    case "shipment":
                        self.requests.add(row_id)
                    case "shelter" if name.startswith("shelter_"):
                        self.shelters.add(row_id)
                    case "shelter" if name in STOCK_EVENTS:
                        self.stocks.add(row_id)
                    case "item" if name.startswith("item_"):
                        self.has_items = True
                    case _:
                        continue

    def __len__(self) -> int:
        return len(self.needs) + len(self.offers) + len(self.requests) + len(self.shelters) + len(self.stocks)

    @property
    def topics(self) -> list[str]:
        """The live lists that show these rows."""
        parts = (
            ("needs", bool(self.needs)),
            ("offers", bool(self.offers)),
            ("requests", bool(self.requests)),
            ("arrivals", self.has_arrivals),
            ("stock", bool(self.stocks)),
            ("masters", bool(self.shelters) or self.has_items),
        )
        return [topic for topic, is_changed in parts if is_changed]

    async def read(self, asker: Asker) -> Rows:
        """The rows as they stand."""
        found = Rows()
        work = [_need(found, asker, i) for i in self.needs] + [_offer(found, asker, i) for i in self.offers]
        work += [_request(found, asker, i) for i in self.requests] + [_shelter(found, asker, i) for i in self.shelters]
        work += [_stock(found, asker, i) for i in self.stocks] + ([_items(found, asker)] if self.has_items else [])
        await gather(work)
        return found


@dataclass(slots=True)
class Rows:
    """Rows to write, and what they replace as a whole."""

    rows: list[Base] = field(default_factory=list)
    stocks_of: list[str] = field(default_factory=list)

    def put(self, session: Session) -> None:
        for shelter in self.stocks_of:
            session.execute(delete(StockRow).where(StockRow.shelter == shelter))
        for row in self.rows:
            session.merge(row)


async def _need(found: Rows, asker: Asker, need_id: str) -> None:
    if (view := await asker.one(NeedView, "need", {"need": need_id})) is not None:
        found.rows.append(NeedRow(**fields(view.need), shown=view.shown))


async def _offer(found: Rows, asker: Asker, offer_id: str) -> None:
    if (row := await asker.one(Offer, "offer_of", {"offer": offer_id})) is not None:
        found.rows.append(OfferRow(**fields(row)))


async def _request(found: Rows, asker: Asker, request_id: str) -> None:
    row = await asker.one(Request, "request_of", {"request": request_id})
    if row is None:
        return
    found.rows.append(RequestRow(**fields(row)))
    for part in cast("list[dict[str, Plain]]", await asker.plain("boxes", {"request": request_id})):
        found.rows.append(BoxRow(**fields(from_plain(BoxView, part).box)))


async def _shelter(found: Rows, asker: Asker, shelter_id: str) -> None:
    if (row := await asker.one(Shelter, "shelter", {"shelter": shelter_id})) is not None:
        found.rows.append(ShelterRow(**fields(row)))


async def _stock(found: Rows, asker: Asker, shelter_id: str) -> None:
    found.stocks_of.append(shelter_id)
    after = ""
    while True:
        page = await asker.one(StockPage, "stock", {"shelter": shelter_id, "after": after, "limit": PAGE})
        if page is None:
            return
        found.rows += [StockRow(**fields(row)) for row in page.rows]
        after = page.next
        if not after:
            return


async def _items(found: Rows, asker: Asker) -> None:
    after = ""
    while True:
        page = cast("list[dict[str, Plain]]", await asker.plain("items", {"after": after, "limit": PAGE}))
        items = [from_plain(Item, part) for part in page]
        found.rows += [ItemRow(**fields(row)) for row in items]
        if len(page) < PAGE:
            return
        after = items[-1].item


COPY = Copy(CURSOR, CONTRACT, Changed)
own_writes = COPY.own_writes
