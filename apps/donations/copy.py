"""Keeps the copy of the chain's rows: what an event names is read again from the contract and written here.

The events say only *what* changed; the contract says how it now stands, so no rule of it is repeated here. Rows and
cursor are written in one transaction. Deleting the cursor builds the copy anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from apps.common.chain import Chain, ChainUnavailable, Plain, Step
from apps.common.database import Base
from apps.common.tables import Cursor, Write
from apps.common.web import Kit, Visit
from apps.donations.signing import CONTRACT
from apps.donations.tables import BoxRow, ItemRow, NeedRow, OfferRow, RequestRow, ShelterRow, StockRow
from contracts.donations.queries import BoxView, NeedView, StockPage
from contracts.donations.types import Item, Offer, Request, Shelter
from ledger.encoding import Value
from ledger.schema import from_plain

CURSOR = "donations-copy-1"
"""With another number the copy is built anew: raise it when its tables change."""
QUEUED_BLOCKS = 1_000
BATCH_IDS = 300
AT_ONCE = 8
RETRY_S = 1.0
PAGE = 100
CATCH_UP_POLLS = 75
POLL_S = 0.04

TOPICS = ("needs", "offers", "requests", "arrivals", "stock", "masters")
STOCK_EVENTS = frozenset({"received", "stock_taken", "transferred"})

log = logging.getLogger(__name__)
S = TypeVar("S", bound=msgspec.Struct)


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


@dataclass(slots=True)
class Rows:
    """Rows to write, and what they replace as a whole."""

    rows: list[Base] = field(default_factory=list)
    stocks_of: list[str] = field(default_factory=list)


async def keep_copy(kit: Kit) -> None:
    """Follow the chain until cancelled; a broken link is taken up again where it broke."""
    while True:
        try:
            await _follow(kit)
        except* ChainUnavailable as errors:
            log.info("the copy waits: %s", errors.exceptions[0])
        await asyncio.sleep(RETRY_S)


async def _follow(kit: Kit) -> None:
    queue: asyncio.Queue[tuple[int, Sequence[Step]]] = asyncio.Queue(QUEUED_BLOCKS)
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(kit, await kit.database.read(copied_height), queue))
        group.create_task(_write(kit, queue))


async def _listen(kit: Kit, height: int, queue: asyncio.Queue[tuple[int, Sequence[Step]]]) -> None:
    async for head, steps in kit.chain.events(height):
        await queue.put((head.height, steps))
    raise ChainUnavailable("the stream of events ended")


async def _write(kit: Kit, queue: asyncio.Queue[tuple[int, Sequence[Step]]]) -> None:
    while True:
        height, steps = await queue.get()
        changed = Changed()
        changed.note(steps)
        # Blocks that came meanwhile go with it: each row is read once, however often it changed.
        while len(changed) < BATCH_IDS and not queue.empty():
            height, steps = queue.get_nowait()
            changed.note(steps)
        rows = await read_rows(kit.chain, changed, height)
        await kit.database.write(lambda session: _put(session, rows, height))  # noqa: B023
        await kit.live.touch(*changed.topics)


async def read_rows(chain: Chain, changed: Changed, height: int) -> Rows:
    """The rows as they stand at `height` or later."""
    gate = asyncio.Semaphore(AT_ONCE)
    found = Rows()

    async def ask(method: str, arguments: Mapping[str, Value]) -> Plain:
        async with gate:
            return await chain.query(CONTRACT, method, arguments, min_height=height)

    async def need(need_id: str) -> None:
        if (view := _struct(NeedView, await ask("need", {"need": need_id}))) is not None:
            found.rows.append(NeedRow(**_fields(view.need), shown=view.shown))

    async def offer(offer_id: str) -> None:
        if (row := _struct(Offer, await ask("offer_of", {"offer": offer_id}))) is not None:
            found.rows.append(OfferRow(**_fields(row)))

    async def request(request_id: str) -> None:
        row = _struct(Request, await ask("request_of", {"request": request_id}))
        if row is None:
            return
        found.rows.append(RequestRow(**_fields(row)))
        for part in cast("list[Plain]", await ask("boxes", {"request": request_id})):
            if (view := _struct(BoxView, part)) is not None:
                found.rows.append(BoxRow(**_fields(view.box)))

    async def shelter(shelter_id: str) -> None:
        if (row := _struct(Shelter, await ask("shelter", {"shelter": shelter_id}))) is not None:
            found.rows.append(ShelterRow(**_fields(row)))

    async def stock(shelter_id: str) -> None:
        found.stocks_of.append(shelter_id)
        after = ""
        while True:
            page = _struct(StockPage, await ask("stock", {"shelter": shelter_id, "after": after, "limit": PAGE}))
            if page is None:
                return
            found.rows += [StockRow(**_fields(row)) for row in page.rows]
            after = page.next
            if not after:
                return

    async def items() -> None:
        after = ""
        while True:
            page = [
                _struct(Item, part) for part in cast("list[Plain]", await ask("items", {"after": after, "limit": PAGE}))
            ]
            found.rows += [ItemRow(**_fields(row)) for row in page if row is not None]
            if len(page) < PAGE or (last := page[-1]) is None:
                return
            after = last.item

    work = [need(i) for i in changed.needs] + [offer(i) for i in changed.offers]
    work += [request(i) for i in changed.requests] + [shelter(i) for i in changed.shelters]
    work += [stock(i) for i in changed.stocks] + ([items()] if changed.has_items else [])
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
    return found


def _struct(kind: type[S], value: Plain) -> S | None:
    return from_plain(kind, value) if isinstance(value, dict) else None


def _fields(row: msgspec.Struct) -> dict[str, object]:
    values = msgspec.structs.asdict(row)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _put(session: Session, rows: Rows, height: int) -> None:
    for shelter in rows.stocks_of:
        session.execute(delete(StockRow).where(StockRow.shelter == shelter))
    for row in rows.rows:
        session.merge(row)
    cursor = session.get(Cursor, CURSOR)
    if cursor is None:
        session.add(Cursor(name=CURSOR, height=height))
    else:
        cursor.height = max(cursor.height, height)


def copied_height(session: Session) -> int:
    """The height up to which the copy is complete."""
    row = session.get(Cursor, CURSOR)
    return row.height if row is not None else 0


async def own_writes(visit: Visit) -> None:
    """Wait, a few seconds at most, until the copy shows what this visitor has done."""
    if visit.user is None:
        return
    user_id = visit.user.id

    def is_behind(session: Session) -> bool:
        newest = session.scalar(select(func.max(Write.height)).where(Write.user_id == user_id))
        return newest is not None and newest > copied_height(session)

    # Another process may keep the copy: its cursor is asked for. In the end the page shows what there is, and follows.
    for _ in range(CATCH_UP_POLLS):
        if not await visit.kit.database.read(is_behind):
            return
        await asyncio.sleep(POLL_S)
