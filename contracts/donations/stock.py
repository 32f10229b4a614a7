"""What shelters and the 防災備蓄倉庫 have: arrivals, stocktaking, minimum stock, transfers (D13e, D13f)."""

from __future__ import annotations

import msgspec

from contracts.donations import masters
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import STOCKS, Stock
from ledger.contract import Context, Result
from ledger.refusal import Refused


def _row(ctx: Context, shelter_id: str, item_id: str, size: str) -> Stock:
    empty = Stock(shelter_id, item_id, size, 0, 0, None)
    return STOCKS.get(ctx.state, _key(shelter_id, item_id, size)) or empty


def _key(shelter_id: str, item_id: str, size: str) -> str:
    return f"{shelter_id}/{item_id}/{size}"


def _save(ctx: Context, row: Stock) -> None:
    STOCKS.put(ctx.state, _key(row.shelter, row.item, row.size), row)


def add(ctx: Context, shelter_id: str, item_id: str, size: str, quantity: int, expires_ms: int | None) -> None:
    """Goods come in; the earliest date among the stock is kept."""
    row = _row(ctx, shelter_id, item_id, size)
    dates = [d for d in (row.expires_ms if row.quantity else None, expires_ms) if d is not None]
    _save(ctx, msgspec.structs.replace(row, quantity=row.quantity + quantity, expires_ms=min(dates, default=None)))


def take_stock(
    ctx: Context, *, shelter_id: str, item_id: str, size: str, quantity: int, minimum: int, expires_ms: int | None
) -> Result:
    """D13f: a stocktake says what is there, what should be there at least, and the earliest date."""
    masters.own_shelter(ctx, shelter_id)
    masters.usable_item(ctx.state, item_id, size)
    before = _row(ctx, shelter_id, item_id, size).quantity
    _save(ctx, Stock(shelter_id, item_id, size, quantity, minimum, expires_ms))
    ctx.emit("stock_taken", [f"shelter:{shelter_id}"], item=item_id, size=size, before=before, quantity=quantity)
    return None


def transfer(ctx: Context, *, source_id: str, target_id: str, item_id: str, size: str, quantity: int) -> Result:
    """D13e: goods go from one shelter of the municipality to another."""
    masters.own_municipality(ctx, source_id)
    target = masters.own_municipality(ctx, target_id)
    if source_id == target_id:
        raise Refused(DonationsReason.SAME_SHELTER)
    if target.status == "closed":
        raise Refused(DonationsReason.SHELTER_CLOSED, shelter=target_id)
    row = _row(ctx, source_id, item_id, size)
    if row.quantity < quantity:
        raise Refused(DonationsReason.NOT_IN_STOCK, shelter=source_id, quantity=row.quantity)
    _save(ctx, msgspec.structs.replace(row, quantity=row.quantity - quantity))
    add(ctx, target_id, item_id, size, quantity, row.expires_ms)
    ctx.emit(
        "transferred", [f"shelter:{source_id}", f"shelter:{target_id}"], item=item_id, size=size, quantity=quantity
    )
    return None
