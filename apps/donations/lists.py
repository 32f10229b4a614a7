"""The questions that the pages ask of the copy: filters, order, pages of rows, all in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.orm import Session

from apps.donations.tables import (
    BoxRow,
    ItemRow,
    NeedRow,
    OfferRow,
    RequestRow,
    ShelterRow,
    StockRow,
)

PAGE_ROWS = 30
EXPORT_ROWS = 20_000
PRIORITIES = ("urgent", "high", "normal")
BENEFICIARIES = ("everybody", "infants", "elderly", "allergy")
REQUEST_STATES = ("requested", "shipped", "received", "cancelled", "lost", "returned")

URGENCY = case({"urgent": 0, "high": 1}, value=NeedRow.priority, else_=2)


@dataclass(frozen=True, slots=True)
class NeedSearch:
    """D2b: what is empty is not asked. `remaining`: only needs of which at least so much is still open."""

    municipality: str = ""
    shelter: str = ""
    item: str = ""
    category: str = ""
    priority: str = ""
    beneficiaries: str = ""
    words: str = ""
    remaining: int = 1
    only_open: bool = True

    def rows(self) -> Select[NeedRow]:
        rows = select(NeedRow)
        if self.only_open:
            taking = select(ShelterRow.shelter).where(ShelterRow.status != "closed")
            rows = rows.where(NeedRow.closed.is_(False), NeedRow.shown >= max(1, self.remaining))
            rows = rows.where(NeedRow.shelter.in_(taking))
        for column, value in (
            (NeedRow.municipality, self.municipality),
            (NeedRow.shelter, self.shelter),
            (NeedRow.item, self.item),
            (NeedRow.priority, self.priority),
            (NeedRow.beneficiaries, self.beneficiaries),
        ):
            if value:
                rows = rows.where(column == value)
        if self.category:
            rows = rows.where(NeedRow.item.in_(select(ItemRow.item).where(ItemRow.category == self.category)))
        if self.words:
            like = f"%{_plain(self.words)}%"
            items = select(ItemRow.item).where(ItemRow.name_ja.ilike(like) | ItemRow.name_en.ilike(like))
            shelters = select(ShelterRow.shelter).where(ShelterRow.name_ja.ilike(like) | ShelterRow.name_en.ilike(like))
            rows = rows.where(or_(NeedRow.item.in_(items), NeedRow.shelter.in_(shelters), NeedRow.size.ilike(like)))
        return rows


def _plain(words: str) -> str:
    return words.replace("%", "").replace("_", "")


def count(session: Session, rows: Select[NeedRow] | Select[OfferRow] | Select[RequestRow]) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def find_needs(session: Session, search: NeedSearch, page: int) -> tuple[Sequence[NeedRow], int]:
    """A page of needs, the most pressing first, and how many there are."""
    rows = search.rows()
    order = rows.order_by(
        URGENCY, NeedRow.need_by_ms.is_(None), NeedRow.need_by_ms, NeedRow.registered_ms, NeedRow.need
    )
    shown = session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all()
    return shown, count(session, rows)


def similar_need(session: Session, shelter: str, item: str, size: str) -> NeedRow | None:
    """D1e: an open need for the same thing at the same shelter."""
    rows = NeedSearch(shelter=shelter, item=item).rows().where(NeedRow.size == size)
    return session.scalar(rows.order_by(NeedRow.registered_ms).limit(1))


def fitting_needs(session: Session, offer: OfferRow, shelters: Sequence[str]) -> Sequence[NeedRow]:
    """Needs that an offer can be requested for: the one it is pledged to first, then the most urgent."""
    rows = select(NeedRow).where(
        NeedRow.shelter.in_(shelters), NeedRow.closed.is_(False),
        NeedRow.item == offer.item, NeedRow.size == offer.size,
        (NeedRow.shown > 0) | (NeedRow.need == offer.need),
    )  # fmt: skip
    first = case((NeedRow.need == offer.need, 0), else_=1)
    return session.scalars(rows.order_by(first, URGENCY, NeedRow.registered_ms).limit(100)).all()


def open_offers(item: str, category: str, words: str) -> Select[OfferRow]:
    """D5a: what has something left that is free: not pledged to a need."""
    rows = select(OfferRow).where(OfferRow.status == "open", OfferRow.left > OfferRow.pledged)
    if item:
        rows = rows.where(OfferRow.item == item)
    if category:
        rows = rows.where(OfferRow.item.in_(select(ItemRow.item).where(ItemRow.category == category)))
    if words:
        like = f"%{_plain(words)}%"
        items = select(ItemRow.item).where(ItemRow.name_ja.ilike(like) | ItemRow.name_en.ilike(like))
        rows = rows.where(OfferRow.item.in_(items))
    return rows


def find_offers(session: Session, rows: Select[OfferRow], page: int) -> tuple[Sequence[OfferRow], int]:
    order = rows.order_by(OfferRow.registered_ms.desc(), OfferRow.offer)
    return session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all(), count(session, rows)


def pledges_to(session: Session, need: str) -> Sequence[OfferRow]:
    """The open pledges to a need, the oldest first."""
    rows = select(OfferRow).where(OfferRow.need == need, OfferRow.status == "open", OfferRow.pledged > 0)
    return session.scalars(rows.order_by(OfferRow.registered_ms).limit(200)).all()


def requests_for(shelters: Sequence[str], status: str) -> Select[RequestRow]:
    rows = select(RequestRow).where(RequestRow.shelter.in_(shelters))
    return rows.where(RequestRow.status == status) if status else rows


def find_requests(session: Session, rows: Select[RequestRow], page: int) -> tuple[Sequence[RequestRow], int]:
    order = rows.order_by(RequestRow.requested_ms.desc(), RequestRow.request)
    return session.scalars(order.offset((page - 1) * PAGE_ROWS).limit(PAGE_ROWS)).all(), count(session, rows)


def boxes_of(session: Session, request: str) -> Sequence[BoxRow]:
    return session.scalars(select(BoxRow).where(BoxRow.request == request).order_by(BoxRow.number)).all()


@dataclass(frozen=True, slots=True)
class Arrival:
    """D7a: a box that has arrived."""

    box: BoxRow
    request: RequestRow


def find_arrivals(session: Session, shelters: Sequence[str], page: int, rows: int) -> tuple[list[Arrival], int]:
    """What has arrived at these shelters, the newest first."""
    wanted = (
        select(BoxRow, RequestRow)
        .join(RequestRow, RequestRow.request == BoxRow.request)
        .where(BoxRow.received_at.in_(shelters), BoxRow.received_ms.is_not(None))
    )
    order = wanted.order_by(BoxRow.received_ms.desc(), BoxRow.request, BoxRow.number)
    found = session.execute(order.offset((page - 1) * rows).limit(rows)).all()
    total = session.scalar(
        select(func.count())
        .select_from(BoxRow)
        .where(BoxRow.received_at.in_(shelters), BoxRow.received_ms.is_not(None))
    )
    return [Arrival(box, request) for box, request in found], total or 0


@dataclass(frozen=True, slots=True)
class Total:
    """D7b: an item's units over needs, by bucket."""

    key: str
    quantity: int
    open: int
    pledged: int
    requested: int
    shipped: int
    arrived: int


def totals(session: Session, shelters: Sequence[str], *, by_shelter: bool) -> list[Total]:
    """Units by item (`item/size`) or by shelter. What a closed need still lacked is not asked for any more."""
    key = NeedRow.shelter if by_shelter else NeedRow.item + "/" + NeedRow.size
    is_open = case((NeedRow.closed.is_(True), 0), else_=NeedRow.shown)
    wanted = case((NeedRow.closed.is_(True), NeedRow.quantity - NeedRow.shown), else_=NeedRow.quantity)
    sums = [
        func.sum(c) for c in (wanted, is_open, NeedRow.pledged, NeedRow.requested, NeedRow.shipped, NeedRow.arrived)
    ]
    rows = session.execute(
        select(key, *sums).where(NeedRow.shelter.in_(shelters)).group_by(key).order_by(key).limit(2_000)
    )
    return [Total(str(name), *(int(value or 0) for value in values)) for name, *values in rows.all()]


def find_stock(
    session: Session, shelters: Sequence[str], *, below_minimum: bool, expires_before_ms: int | None
) -> Sequence[StockRow]:
    """D13f: what is there; what is below its minimum; what is near its date."""
    rows = select(StockRow).where(StockRow.shelter.in_(shelters))
    if below_minimum:
        rows = rows.where(StockRow.quantity < StockRow.minimum)
    if expires_before_ms is not None:
        rows = rows.where(StockRow.expires_ms < expires_before_ms, StockRow.quantity > 0)
    return session.scalars(rows.order_by(StockRow.shelter, StockRow.item, StockRow.size).limit(2_000)).all()


def requests_of_offer(session: Session, offer: str) -> Sequence[RequestRow]:
    """What was requested of an offer."""
    rows = select(RequestRow).where(RequestRow.offer == offer)
    return session.scalars(rows.order_by(RequestRow.requested_ms.desc()).limit(PAGE_ROWS)).all()


def requests_to(session: Session, supporter: str) -> Sequence[RequestRow]:
    """What was requested of a supporter: first what waits for them."""
    waiting = case({"requested": 0, "shipped": 1}, value=RequestRow.status, else_=2)
    rows = select(RequestRow).where(RequestRow.supporter == supporter)
    return session.scalars(rows.order_by(waiting, RequestRow.requested_ms.desc()).limit(100)).all()
