"""必要物資: registering, amending and closing needs; the buckets that every unit of a need is in."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from contracts.donations import masters
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import (
    NEEDS,
    NEEDS_AT,
    OFFERS,
    OPEN_NEEDS,
    PLEDGES,
    Beneficiaries,
    Found,
    Mark,
    Need,
    Offer,
    Priority,
)
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused

Bucket = str
"""`open`, `pledged`, `requested`, `shipped` or `arrived`."""


def known(state: Reader, need_id: str) -> Need:
    need = NEEDS.get(state, need_id)
    if need is None:
        raise Refused(DonationsReason.NO_NEED, need=need_id)
    return need


def subjects(need: Need) -> tuple[str, ...]:
    return f"need:{need.need}", f"shelter:{need.shelter}"


def move(need: Need, quantity: int, *, source: Bucket, target: Bucket) -> Need:
    """The need with `quantity` units moved from one bucket to another. Nothing is ever subtracted twice."""
    buckets = {
        "pledged": need.pledged,
        "requested": need.requested,
        "shipped": need.shipped,
        "arrived": need.arrived,
        "open": need.shown,
    }
    buckets[source] -= quantity
    buckets[target] += quantity
    if min(buckets.values()) < 0:
        raise BrokenInvariant(f"need {need.need}: {quantity} from {source} to {target} leaves less than nothing")
    return msgspec.structs.replace(
        need,
        pledged=buckets["pledged"],
        requested=buckets["requested"],
        shipped=buckets["shipped"],
        arrived=buckets["arrived"],
    )


def save(ctx: Context, need: Need) -> None:
    """Write a need, and keep the index of open needs true: one is open while something of it is shown."""
    if min(need.pledged, need.requested, need.shipped, need.arrived, need.shown) < 0:
        raise BrokenInvariant(f"need {need.need} has a unit in no bucket or in two")
    NEEDS.put(ctx.state, need.need, need)
    place = f"{need.shelter}/{need.item}/{need.size}"
    entry = OPEN_NEEDS.get(ctx.state, place)
    if need.shown > 0 and not need.closed:
        if entry is None:
            OPEN_NEEDS.put(ctx.state, place, Found(need.need))
    elif entry is not None and entry.id == need.need:
        OPEN_NEEDS.delete(ctx.state, place)


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
    if shelter.status == "closed":
        raise Refused(DonationsReason.SHELTER_CLOSED, shelter=shelter_id)
    masters.usable_item(ctx.state, item_id, size)
    similar = OPEN_NEEDS.get(ctx.state, f"{shelter_id}/{item_id}/{size}")
    if similar is not None and not separate:
        raise Refused(DonationsReason.SIMILAR_NEED, need=similar.id)
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
        priority=priority,
        beneficiaries=beneficiaries,
        allergens=allergens,
        need_by_ms=need_by_ms,
        detail=detail,
        closed=False,
        registered_ms=ctx.time_ms,
        occurred_ms=masters.happened(ctx, occurred_ms),
    )
    save(ctx, need)
    NEEDS_AT.put(ctx.state, f"{shelter_id}/{need.need}", Mark())
    ctx.emit("need_registered", subjects(need), item=item_id, size=size, quantity=quantity, priority=priority)
    return {"need": need.need, "shown": need.shown}


def amend(ctx: Context, need_id: str, quantity: int) -> Result:
    """D1d: another quantity; what was pledged beyond it goes back to its supporters, the latest pledge first."""
    need = known(ctx.state, need_id)
    masters.own_shelter(ctx, need.shelter)
    if need.closed:
        raise Refused(DonationsReason.NEED_CLOSED, need=need_id)
    under_way = need.requested + need.shipped + need.arrived
    if quantity < under_way:
        raise Refused(DonationsReason.BELOW_UNDER_WAY, quantity=under_way)
    need = _release(ctx, need, max(0, under_way + need.pledged - quantity))
    before = need.quantity
    need = msgspec.structs.replace(need, quantity=quantity)
    save(ctx, need)
    ctx.emit("need_amended", subjects(need), before=before, quantity=quantity)
    return {"need": need_id, "shown": need.shown}


def close(ctx: Context, need_id: str) -> Result:
    """D1d: nothing more is wanted; pledges go back to their supporters, what is under way still arrives."""
    need = known(ctx.state, need_id)
    masters.own_shelter(ctx, need.shelter)
    if need.closed:
        raise Refused(DonationsReason.NEED_CLOSED, need=need_id)
    need = _release(ctx, need, need.pledged)
    need = msgspec.structs.replace(need, closed=True)
    save(ctx, need)
    ctx.emit("need_closed", subjects(need), quantity=need.quantity, open=need.shown)
    return {"need": need_id}


def pledges(state: Reader, need_id: str) -> Iterator[Offer]:
    """The offers pledged to a need. As many as supporters have pledged: at most one a unit."""
    after = ""
    while True:
        page = PLEDGES.page(state, prefix=f"{need_id}/", after=after, limit=100)
        for row_id, _ in page:
            offer = OFFERS.get(state, row_id.split("/")[1])
            if offer is None:
                raise BrokenInvariant(f"pledge {row_id} leads to no offer")
            yield offer
        if len(page) < 100:
            return
        after = page[-1][0]


def _release(ctx: Context, need: Need, quantity: int) -> Need:
    """Give `quantity` pledged units back: they are open again at the need and free at their offers."""
    left = quantity
    latest_first = sorted(pledges(ctx.state, need.need), key=lambda o: (o.registered_ms, o.offer), reverse=True)
    for offer in latest_first if left else ():
        part = min(left, offer.pledged)
        left -= part
        need = unpledge(ctx, need, offer, part)
        if left == 0:
            break
    if left:
        raise BrokenInvariant(f"need {need.need} has {need.pledged} pledged and no pledges for it")
    return need


def unpledge(ctx: Context, need: Need, offer: Offer, quantity: int) -> Need:
    """Part of a pledge returns to both need and offer. The need is not saved here, the offer is."""
    rest = offer.pledged - quantity
    if rest == 0:
        PLEDGES.delete(ctx.state, f"{need.need}/{offer.offer}")
    free = msgspec.structs.replace(offer, pledged=rest, need=offer.need if rest else "")
    OFFERS.put(ctx.state, offer.offer, free)
    ctx.emit("pledge_released", [*subjects(need), f"offer:{offer.offer}"], quantity=quantity)
    return move(need, quantity, source="pledged", target="open")
