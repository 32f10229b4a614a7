"""What shelters and the 防災備蓄倉庫 have: arrivals, stocktaking, minimum stock, transfers (D13e, D13f)."""

from __future__ import annotations

import msgspec

from contracts.donations import masters
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import STOCKS, Shelter, Stock
from ledger.contract import Context, Result
from ledger.refusal import BrokenInvariant, Refused


def _row(ctx: Context, shelter: Shelter, item_id: str, size: str) -> Stock:
    empty = Stock(shelter.shelter, item_id, size, 0, 0, None)
    return STOCKS.get(ctx.state, _key(shelter, item_id, size)) or empty


def _key(shelter: Shelter, item_id: str, size: str) -> str:
    return f"{masters.place(shelter)}/{item_id}/{size}"


def _save(ctx: Context, shelter: Shelter, row: Stock) -> None:
    if row.quantity < 0:
        raise BrokenInvariant(f"stock of {row.item} at {row.shelter} would be {row.quantity}")
    STOCKS.put(ctx.state, _key(shelter, row.item, row.size), row)


def add(ctx: Context, shelter: Shelter, item_id: str, size: str, quantity: int, expires_ms: int | None) -> None:
    """Goods come in; the earliest date among the stock is kept."""
    if quantity == 0:
        return
    row = _row(ctx, shelter, item_id, size)
    dates = [d for d in (row.expires_ms if row.quantity else None, expires_ms) if d is not None]
    changed = msgspec.structs.replace(row, quantity=row.quantity + quantity, expires_ms=min(dates, default=None))
    _save(ctx, shelter, changed)


def take_stock(
    ctx: Context, *, shelter_id: str, item_id: str, size: str, quantity: int, minimum: int, expires_ms: int | None
) -> Result:
    """D13f: a stocktake says what is there, what should be there at least, and the earliest date."""
    shelter = masters.own_shelter(ctx, shelter_id)
    masters.usable_item(ctx.state, item_id, size)
    before = _row(ctx, shelter, item_id, size).quantity
    _save(ctx, shelter, Stock(shelter_id, item_id, size, quantity, minimum, expires_ms))
    ctx.emit("stock_taken", [f"shelter:{shelter_id}"], item=item_id, size=size, before=before, quantity=quantity)
    return None


def transfer(ctx: Context, *, source_id: str, target_id: str, item_id: str, size: str, quantity: int) -> Result:
    """D13e: goods go from one shelter of the municipality to another."""
    source = masters.own_municipality(ctx, source_id)
    target = masters.own_municipality(ctx, target_id)
    if source_id == target_id:
        raise Refused(DonationsReason.SAME_SHELTER)
    masters.not_closed(target)
    row = _row(ctx, source, item_id, size)
    if row.quantity < quantity:
        raise Refused(DonationsReason.NOT_IN_STOCK, shelter=source_id, quantity=row.quantity)
    _save(ctx, source, msgspec.structs.replace(row, quantity=row.quantity - quantity))
    add(ctx, target, item_id, size, quantity, row.expires_ms)
    ctx.emit(
        "transferred", [f"shelter:{source_id}", f"shelter:{target_id}"], item=item_id, size=size, quantity=quantity
    )
    return None
