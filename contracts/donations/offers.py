"""発送物資登録 and 提供物資登録: pledges to a need, and free offers. The application acts for the supporter."""

from __future__ import annotations

import msgspec

from contracts.donations import masters, needs
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import NEEDS, OFFERS, OFFERS_OF, PLEDGES, Mark, Offer
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import Refused


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


def own_offer(state: Reader, offer_id: str, supporter: str) -> Offer:
    offer = open_offer(state, offer_id)
    if offer.supporter != supporter:
        raise Refused(DonationsReason.OTHER_SUPPORTER)
    return offer


def save(ctx: Context, offer: Offer) -> None:
    """Write an offer; one of which nothing is left is used up."""
    if offer.left == 0 and offer.status == "open":
        offer = msgspec.structs.replace(offer, status="used_up")
    elif offer.left > 0 and offer.status == "used_up":
        offer = msgspec.structs.replace(offer, status="open")
    OFFERS.put(ctx.state, offer.offer, offer)


def _register(
    ctx: Context,
    *,
    supporter: str,
    item_id: str,
    size: str,
    quantity: int,
    need_id: str,
    available_from_ms: int | None,
    goods_expire_ms: int | None,
) -> Offer:
    item = masters.usable_item(ctx.state, item_id, size)
    if item.needs_expiry and goods_expire_ms is None:
        raise Refused(DonationsReason.NEEDS_EXPIRY, item=item_id)
    if goods_expire_ms is not None and goods_expire_ms <= ctx.time_ms:
        raise Refused(DonationsReason.EXPIRED_GOODS)
    offer = Offer(
        offer=ctx.new_id("offer"),
        supporter=supporter,
        item=item_id,
        size=size,
        quantity=quantity,
        left=quantity,
        need=need_id,
        pledged=quantity if need_id else 0,
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
        status="open",
        registered_ms=ctx.time_ms,
    )
    OFFERS.put(ctx.state, offer.offer, offer)
    OFFERS_OF.put(ctx.state, f"{supporter}/{offer.offer}", Mark())
    return offer


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
    made = _register(
        ctx,
        supporter=supporter,
        item_id=item_id,
        size=size,
        quantity=quantity,
        need_id="",
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
    )
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
    need = needs.known(ctx.state, need_id)
    if need.closed:
        raise Refused(DonationsReason.NEED_CLOSED, need=need_id)
    shelter = masters.known_shelter(ctx.state, need.shelter)
    if shelter.status == "closed":
        raise Refused(DonationsReason.SHELTER_CLOSED, shelter=shelter.shelter)
    if shelter.status == "full":
        raise Refused(DonationsReason.SHELTER_FULL, shelter=shelter.shelter)
    if need.shown == 0:
        raise Refused(DonationsReason.NOTHING_LEFT, need=need_id)
    if quantity > need.shown and not excess_as_offer:
        raise Refused(DonationsReason.MORE_THAN_NEEDED, shown=need.shown)
    pledged = min(quantity, need.shown)
    made = _register(
        ctx,
        supporter=supporter,
        item_id=need.item,
        size=need.size,
        quantity=quantity,
        need_id=need_id,
        available_from_ms=available_from_ms,
        goods_expire_ms=goods_expire_ms,
    )
    made = msgspec.structs.replace(made, pledged=pledged)
    OFFERS.put(ctx.state, made.offer, made)
    PLEDGES.put(ctx.state, f"{need_id}/{made.offer}", Mark())
    need = needs.move(need, pledged, source="open", target="pledged")
    needs.save(ctx, need)
    ctx.emit("pledged", [*needs.subjects(need), *subjects(made)], quantity=pledged, free=quantity - pledged)
    return {"offer": made.offer, "pledged": pledged, "free": quantity - pledged, "shown": need.shown}


def withdraw(ctx: Context, offer_id: str, supporter: str) -> Result:
    """D13c, D3b: a supporter takes back what is not requested yet; an unconfirmed pledge lapses the same way."""
    made = own_offer(ctx.state, offer_id, supporter)
    left = made.left
    made = _unpledge_all(ctx, made)
    OFFERS.put(ctx.state, offer_id, msgspec.structs.replace(made, left=0, status="withdrawn"))
    ctx.emit("withdrawn", subjects(made), quantity=left)
    return {"offer": offer_id, "quantity": left}


def decline(ctx: Context, offer_id: str) -> Result:
    """D13d: the receiver does not want a pledge; it becomes a free offer."""
    made = open_offer(ctx.state, offer_id)
    if not made.need:
        raise Refused(DonationsReason.NOT_A_PLEDGE, offer=offer_id)
    need = needs.known(ctx.state, made.need)
    masters.own_shelter(ctx, need.shelter)
    ctx.emit("declined", [*needs.subjects(need), *subjects(made)], quantity=made.pledged)
    _unpledge_all(ctx, made)
    return None


def _unpledge_all(ctx: Context, made: Offer) -> Offer:
    if made.pledged:
        need = NEEDS.get(ctx.state, made.need)
        if need is None:
            raise Refused(DonationsReason.NO_NEED, need=made.need)
        needs.save(ctx, needs.unpledge(ctx, need, made, made.pledged))
    return known(ctx.state, made.offer)


def subjects(made: Offer) -> tuple[str, ...]:
    return f"offer:{made.offer}", f"supporter:{made.supporter}"
