"""必要物資: registering, amending and closing needs (D1)."""

from __future__ import annotations

import msgspec

from contracts.donations import books, masters
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import (
    MAX_PLEDGES,
    NEEDS,
    NEEDS_AT,
    OFFERS,
    OPEN_NEEDS,
    PLEDGES,
    Beneficiaries,
    Need,
    Offer,
    Priority,
)
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark


def known(state: Reader, need_id: str) -> Need:
    need = NEEDS.get(state, need_id)
    if need is None:
        raise Refused(DonationsReason.NO_NEED, need=need_id)
    return need


def open_need(state: Reader, need_id: str) -> Need:
    need = known(state, need_id)
    if need.closed:
        raise Refused(DonationsReason.NEED_CLOSED, need=need_id)
    return need


def subjects(need: Need) -> tuple[str, ...]:
    return f"need:{need.need}", f"shelter:{need.shelter}"


def register(
    ctx: Context,
    *,
    shelter_id: str,
    item_id: str,
    size: str,
    quantity: int,
    priority: Priority,
    beneficiaries: Beneficiaries,
    allergens: tuple[str, ...],
    need_by_ms: int | None,
    detail: str,
    separate: bool,
    occurred_ms: int | None,
) -> Result:
    """D1a, D1c, D1e."""
    shelter = masters.own_shelter(ctx, shelter_id)
    masters.not_closed(shelter)
    masters.usable_item(ctx.state, item_id, size)
    need = Need(
        need=ctx.new_id("need"),
        shelter=shelter_id,
        municipality=shelter.municipality,
        item=item_id,
        size=size,
        quantity=quantity,
        pledged=0,
        requested=0,
        shipped=0,
        arrived=0,
        pledges=0,
        priority=priority,
        beneficiaries=beneficiaries,
        allergens=allergens,
        need_by_ms=need_by_ms,
        detail=detail,
        closed=False,
        registered_ms=ctx.time_ms,
        occurred_ms=masters.happened(ctx, occurred_ms),
    )
    if not separate:
        _refuse_similar(ctx.state, need)
    books.save_need(ctx, need)
    NEEDS_AT.put(ctx.state, f"{masters.place(shelter)}/{need.need}", Mark())
    ctx.emit("need_registered", subjects(need), item=item_id, size=size, quantity=quantity, priority=priority)
    return {"need": need.need, "shown": need.shown}


def _refuse_similar(state: Reader, need: Need) -> None:
    """D1e: an open need for the same thing at the same shelter is better amended than doubled."""
    for row_id, _ in OPEN_NEEDS.page(state, prefix=f"{books.place(need)}/", limit=1):
        raise Refused(DonationsReason.SIMILAR_NEED, need=row_id.rsplit("/", 1)[1])


def amend(ctx: Context, need_id: str, quantity: int) -> Result:
    """D1d: another quantity; what was pledged beyond it goes back to its supporters, the latest pledge first."""
    need = open_need(ctx.state, need_id)
    masters.own_shelter(ctx, need.shelter)
    under_way = need.requested + need.shipped + need.arrived
    if quantity < under_way:
        raise Refused(DonationsReason.BELOW_UNDER_WAY, quantity=under_way)
    need = _release(ctx, need, max(0, under_way + need.pledged - quantity))
    before = need.quantity
    need = msgspec.structs.replace(need, quantity=quantity)
    books.save_need(ctx, need)
    ctx.emit("need_amended", subjects(need), before=before, quantity=quantity)
    return {"need": need_id, "shown": need.shown}


def close(ctx: Context, need_id: str) -> Result:
    """D1d: nothing more is wanted; pledges go back to their supporters, what is under way still arrives."""
    need = open_need(ctx.state, need_id)
    masters.own_shelter(ctx, need.shelter)
    need = msgspec.structs.replace(_release(ctx, need, need.pledged), closed=True)
    books.save_need(ctx, need)
    ctx.emit("need_closed", subjects(need), quantity=need.quantity, open=need.shown)
    return {"need": need_id}


def _pledges(state: Reader, need: Need) -> list[Offer]:
    """The offers pledged to a need, the latest first."""
    found: list[Offer] = []
    for row_id, _ in PLEDGES.page(state, prefix=f"{need.need}/", limit=MAX_PLEDGES + 1):
        offer = OFFERS.get(state, row_id.split("/")[1])
        if offer is None:
            raise BrokenInvariant(f"pledge {row_id} leads to no offer")
        found.append(offer)
    if len(found) != need.pledges or sum(o.pledged for o in found) != need.pledged:
        raise BrokenInvariant(f"need {need.need} has {need.pledged} pledged and its pledges do not add up to it")
    return sorted(found, key=lambda o: (o.registered_ms, o.offer), reverse=True)


def _release(ctx: Context, need: Need, quantity: int) -> Need:
    """Give `quantity` pledged units back: they are open again at the need and free at their offers."""
    if quantity == 0:
        return need
    left = quantity
    for offer in _pledges(ctx.state, need):
        part = min(left, offer.pledged)
        left -= part
        need, _ = books.unpledge(ctx, need, offer, part)
        ctx.emit("pledge_released", [*subjects(need), f"offer:{offer.offer}"], quantity=part)
        if left == 0:
            break
    return need
