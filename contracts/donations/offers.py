"""発送物資登録 and 提供物資登録: pledges to a need, and free offers. The application acts for the supporter."""

from __future__ import annotations

import msgspec

from contracts.donations import books, masters, needs
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import MAX_PLEDGES, OFFERS, OFFERS_OF, PLEDGES, Offer
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import Refused
from ledger.table import Mark


def known(state: Reader, offer_id: str) -> Offer:
    offer = OFFERS.get(state, offer_id)
    if offer is None:
        raise Refused(DonationsReason.NO_OFFER, offer=offer_id)
    return offer


def open_offer(state: Reader, offer_id: str) -> Offer:
    offer = known(state, offer_id)
    if offer.status != "open":
        raise Refused(DonationsReason.OFFER_ENDED, offer=offer_id, status=offer.status)
    return offer


def subjects(made: Offer) -> tuple[str, ...]:
    return f"offer:{made.offer}", f"supporter:{made.supporter}"


def _new(
    ctx: Context,
    *,
    supporter: str,
    item_id: str,
    size: str,
    quantity: int,
    available_from_ms: int | None,
    goods_expire_ms: int | None,
) -> Offer:
    """An offer that is not written yet. D3h: food needs its date, and may not be past it."""
    item = masters.usable_item(ctx.state, item_id, size)
    if item.needs_expiry and goods_expire_ms is None:
        raise Refused(DonationsReason.NEEDS_EXPIRY, item=item_id)
    if goods_expire_ms is not None and goods_expire_ms <= ctx.time_ms:
        raise Refused(DonationsReason.EXPIRED_GOODS)
    return Offer(
        offer=ctx.new_id("offer"),
        supporter=supporter,
        item=item_id,
        size=size,
        quantity=quantity,
        left=quantity,
        need="",
        pledged=0,
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
        status="open",
        registered_ms=ctx.time_ms,
    )


def _register(ctx: Context, made: Offer) -> None:
    books.save_offer(ctx, made)
    OFFERS_OF.put(ctx.state, f"{made.supporter}/{made.offer}", Mark())


def offer(
    ctx: Context,
    *,
    supporter: str,
    item_id: str,
    size: str,
    quantity: int,
    available_from_ms: int | None,
    goods_expire_ms: int | None,
) -> Result:
    """D4a, D4b: something that no need asks for yet."""
    made = _new(
        ctx,
        supporter=supporter,
        item_id=item_id,
        size=size,
        quantity=quantity,
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
    )
    _register(ctx, made)
    ctx.emit("offered", subjects(made), item=item_id, size=size, quantity=quantity)
    return {"offer": made.offer}


def pledge(
    ctx: Context,
    *,
    supporter: str,
    need_id: str,
    quantity: int,
    excess_as_offer: bool,
    available_from_ms: int | None,
    goods_expire_ms: int | None,
) -> Result:
    """D3a, D3d, D3g: a supporter promises part of a need; the shown need falls by it, never below zero."""
    need = needs.open_need(ctx.state, need_id)
    shelter = masters.known_shelter(ctx.state, need.shelter)
    masters.not_closed(shelter)
    if shelter.status == "full":
        raise Refused(DonationsReason.SHELTER_FULL, shelter=shelter.shelter)
    if need.shown == 0:
        raise Refused(DonationsReason.NOTHING_LEFT, need=need_id)
    if need.pledges == MAX_PLEDGES:
        raise Refused(DonationsReason.TOO_MANY_PLEDGES, need=need_id, limit=MAX_PLEDGES)
    if quantity > need.shown and not excess_as_offer:
        raise Refused(DonationsReason.MORE_THAN_NEEDED, shown=need.shown)
    pledged = min(quantity, need.shown)
    made = _new(
        ctx,
        supporter=supporter,
        item_id=need.item,
        size=need.size,
        quantity=quantity,
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
    )
    made = msgspec.structs.replace(made, need=need_id, pledged=pledged)
    _register(ctx, made)
    PLEDGES.put(ctx.state, f"{need_id}/{made.offer}", Mark())
    need = books.move(need, pledged, source="open", target="pledged")
    need = msgspec.structs.replace(need, pledges=need.pledges + 1)
    books.save_need(ctx, need)
    ctx.emit("pledged", [*needs.subjects(need), *subjects(made)], quantity=pledged, free=quantity - pledged)
    return {"offer": made.offer, "pledged": pledged, "free": quantity - pledged, "shown": need.shown}


def withdraw(ctx: Context, offer_id: str, supporter: str) -> Result:
    """D13c, D3b: a supporter takes back what is not requested yet; an unconfirmed pledge lapses the same way."""
    made = open_offer(ctx.state, offer_id)
    if made.supporter != supporter:
        raise Refused(DonationsReason.OTHER_SUPPORTER)
    left = made.left
    told = _told(ctx.state, made)
    made = _unpledge_all(ctx, made)
    books.save_offer(ctx, msgspec.structs.replace(made, left=0, status="withdrawn"))
    ctx.emit("withdrawn", told, quantity=left)
    return {"offer": offer_id, "quantity": left}


def decline(ctx: Context, offer_id: str) -> Result:
    """D13d: the receiver does not want a pledge; it becomes a free offer."""
    made = open_offer(ctx.state, offer_id)
    if not made.need:
        raise Refused(DonationsReason.NOT_A_PLEDGE, offer=offer_id)
    need = needs.known(ctx.state, made.need)
    masters.own_shelter(ctx, need.shelter)
    ctx.emit("declined", _told(ctx.state, made), quantity=made.pledged)
    _unpledge_all(ctx, made)
    return None


def _told(state: Reader, made: Offer) -> list[str]:
    """Whose history it enters: the offer's, and that of the need it is pledged to."""
    return [*(needs.subjects(needs.known(state, made.need)) if made.need else ()), *subjects(made)]


def _unpledge_all(ctx: Context, made: Offer) -> Offer:
    if made.pledged:
        need, made = books.unpledge(ctx, needs.known(ctx.state, made.need), made, made.pledged)
        books.save_need(ctx, need)
    return made
