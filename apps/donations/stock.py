"""Stock of shelters and the 防災備蓄倉庫: what is there, stocktaking, minimum stock, near dates, transfers (D13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common import forms, sheets
from apps.common.form_page import FormPage, Outcome
from apps.common.forms import Options, Problem
from apps.common.language import day_start_ms, jst
from apps.common.web import Flash, View, Visit
from apps.donations import lists
from apps.donations.arrivals import seen_shelters
from apps.donations.copy import own_writes
from apps.donations.names import DAY_MS, Names, load_names, split_goods
from apps.donations.signing import MUNICIPAL, OFFICERS, RECEIVING, officer_call, receiving_call
from apps.donations.tables import StockRow
from ledger.encoding import Value

NEAR_DAYS = 30
"""What expires within so many days is near its date."""
VIEWS = ("all", "below", "near")


@dataclass(frozen=True)
class Stocktake:
    """D13f."""

    shelter: str = forms.choice()
    goods: str = forms.choice()
    quantity: int = forms.number(minimum=0, maximum=10_000_000)
    minimum: int | None = forms.optional_number(minimum=0, maximum=10_000_000)
    expires: date | None = forms.optional_day()


@dataclass(frozen=True)
class Transfer:
    """D13e."""

    source: str = forms.choice()
    target: str = forms.choice()
    goods: str = forms.choice()
    quantity: int = forms.number(minimum=1, maximum=10_000_000)


async def _find(visit: Visit, names: Names) -> tuple[str, Sequence[StockRow]]:
    kind = visit.query("show", 8)
    shelters = seen_shelters(visit, names)
    near_ms = visit.now_ms + NEAR_DAYS * DAY_MS if kind == "near" else None
    rows = await visit.kit.database.read(
        lambda s: lists.find_stock(s, shelters, below_minimum=kind == "below", expires_before_ms=near_ms)
    )
    return kind if kind in VIEWS else "all", rows


async def show_stock(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    names = await load_names(visit)
    kind, rows = await _find(visit, names)
    return visit.render(
        "donations/stock.html", names=names, rows=rows, kind=kind, views=VIEWS, near_days=NEAR_DAYS, jst=jst,
    )  # fmt: skip


async def download_stock(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)
    names = await load_names(visit)
    _, rows = await _find(visit, names)
    heading = [visit.t(f"stock.{c}") for c in ("shelter", "item", "size", "quantity", "minimum", "expires")]
    cells: list[list[sheets.Cell]] = [
        [
            names.shelter(r.shelter), names.item(r.item), r.size, r.quantity, r.minimum,
            jst(r.expires_ms).date() if r.expires_ms is not None else None,
        ]
        for r in rows
    ]  # fmt: skip
    return visit.download(sheets.write_csv(heading, cells), f"stock-{jst(visit.now_ms):%Y%m%d}.csv", sheets.CSV_TYPE)


async def _options(visit: Visit) -> Options:
    names = await load_names(visit)
    own = names.shelter_options(visit.signed_in)
    return {"shelter": own, "source": own, "target": own, "goods": names.item_options(only_in_use=False)}


async def _initial(visit: Visit) -> Mapping[str, Sequence[str]]:
    own = (await load_names(visit)).own_shelters(visit.signed_in)
    given = {name: (value,) for name, value in visit.request.query.items()}
    return {"shelter": (own[0].shelter,) if len(own) == 1 else (), **given}


def _take(session: Session, visit: Visit, value: Stocktake) -> Outcome:
    item, size = split_goods(value.goods)
    arguments: dict[str, Value] = {
        "shelter": value.shelter, "item": item, "size": size, "quantity": value.quantity,
        "minimum": value.minimum or 0,
    }  # fmt: skip
    if value.expires is not None:
        arguments["expires_ms"] = day_start_ms(value.expires)
    call = receiving_call(visit.signed_in, "take_stock", arguments)
    write = visit.kit.outbox.put(session, "stock", call, reference=f"shelter:{value.shelter}", user=visit.user)
    return Outcome(visit.kit.path("stock"), Flash("take_stock.done", {}), write)


async def _check_transfer(visit: Visit, value: Transfer) -> Mapping[str, Problem]:
    if value.source == value.target:
        return {"target": Problem("transfer.same")}
    item, size = split_goods(value.goods)
    row = await visit.kit.database.read(lambda s: s.get(StockRow, (value.source, item, size)))
    there = row.quantity if row is not None else 0
    return {"quantity": Problem("transfer.not_there", {"quantity": there})} if value.quantity > there else {}


def _transfer(session: Session, visit: Visit, value: Transfer) -> Outcome:
    item, size = split_goods(value.goods)
    arguments: dict[str, Value] = {
        "source": value.source, "target": value.target, "item": item, "size": size, "quantity": value.quantity,
    }  # fmt: skip
    call = officer_call(visit.signed_in, "transfer", arguments)
    write = visit.kit.outbox.put(session, "stock", call, reference=f"shelter:{value.source}", user=visit.user)
    return Outcome(visit.kit.path("stock"), Flash("transfer.done", {}), write)


PAGES = (
    View("stock", "/stock", show_stock, MUNICIPAL),
    View("stock_csv", "/stock.csv", download_stock, MUNICIPAL),
    FormPage("take_stock", "/stock/take", RECEIVING, Stocktake, _take, options=_options, initial=_initial),
    FormPage(
        "transfer", "/stock/transfer", OFFICERS, Transfer, _transfer, options=_options, initial=_initial,
        check=_check_transfer,
    ),
)  # fmt: skip
