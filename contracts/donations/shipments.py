"""物資要求, 発送, 受取: requests with a QR token a box, shipping, and arrival, once for each box."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from contracts.donations import books, masters, needs, offers, stock
from contracts.donations.reasons import DonationsReason
from contracts.donations.types import (
    ARRIVALS,
    BOXES,
    MAX_BOXES,
    REQUESTS,
    REQUESTS_AT,
    REQUESTS_OF,
    TOKENS,
    Box,
    Found,
    Need,
    Offer,
    Request,
    RequestStatus,
    Shelter,
)
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import BrokenInvariant, Refused
from ledger.table import Mark

EndStatus = Literal["cancelled", "lost", "returned"]
"""How a request ends when not all of its boxes arrive."""


def commitment(token: str) -> str:
    """What stands on the chain for a box's token until the box is received."""
    return hashlib.sha256(b"daicho/donations/token\x00" + token.encode()).hexdigest()


def known(state: Reader, request_id: str) -> Request:
    request = REQUESTS.get(state, request_id)
    if request is None:
        raise Refused(DonationsReason.NO_REQUEST, request=request_id)
    return request


def subjects(request: Request) -> tuple[str, ...]:
    return (
        f"shipment:{request.request}",
        f"need:{request.need}",
        f"offer:{request.offer}",
        f"shelter:{request.shelter}",
        f"supporter:{request.supporter}",
    )


# -- requesting --------------------------------------------------------------------------------------------------------


def request(
    ctx: Context, *, offer_id: str, need_id: str, quantity: int, boxes: tuple[int, ...], tokens: tuple[str, ...]
) -> Result:
    """D6a, D6b, D6d, D9a, D9c: the receiver asks for goods to be sent. Only this completes a match."""
    offer = offers.open_offer(ctx.state, offer_id)
    need = needs.open_need(ctx.state, need_id)
    shelter = masters.own_shelter(ctx, need.shelter)
    masters.not_closed(shelter)
    _check_match(offer, need, quantity)
    if len(boxes) != len(tokens) or sum(boxes) != quantity:
        raise Refused(DonationsReason.BAD_BOXES, total=sum(boxes), quantity=quantity)
    if offer.need == need_id:
        # D6b: the unneeded part of a pledge returns to both need and offer.
        unneeded = offer.pledged - quantity
        need, offer = books.unpledge(ctx, need, offer, offer.pledged)
        if unneeded > 0:
            told = [*needs.subjects(need), f"offer:{offer_id}"]
            ctx.emit("pledge_released", told, quantity=unneeded)
    need = books.move(need, quantity, source="open", target="requested")
    books.save_need(ctx, need)
    books.save_offer(ctx, msgspec.structs.replace(offer, left=offer.left - quantity))
    made = Request(
        request=ctx.new_id("shipment"),
        offer=offer_id,
        need=need_id,
        supporter=offer.supporter,
        shelter=need.shelter,
        item=offer.item,
        size=offer.size,
        quantity=quantity,
        boxes=len(boxes),
        boxes_arrived=0,
        status="requested",
        requested_ms=ctx.time_ms,
        shipped_ms=None,
    )
    REQUESTS.put(ctx.state, made.request, made)
    REQUESTS_AT.put(ctx.state, f"{masters.place(shelter)}/{made.request}", Mark())
    REQUESTS_OF.put(ctx.state, f"{made.supporter}/{made.request}", Mark())
    _pack(ctx, made, boxes, tokens)
    ctx.emit("requested", subjects(made), item=made.item, size=made.size, quantity=quantity)
    ctx.emit("qr_made", subjects(made)[:1], boxes=len(boxes))
    return {"request": made.request, "shown": need.shown}


def _check_match(offer: Offer, need: Need, quantity: int) -> None:
    if (offer.item, offer.size) != (need.item, need.size):
        raise Refused(
            DonationsReason.OTHER_ITEM, offered=f"{offer.item} {offer.size}", needed=f"{need.item} {need.size}"
        )
    pledged_here = offer.pledged if offer.need == need.need else 0
    available = offer.left - offer.pledged + pledged_here
    if available == 0 and offer.need:
        raise Refused(DonationsReason.PLEDGED_ELSEWHERE, need=offer.need)
    if quantity > available:
        raise Refused(DonationsReason.OFFER_EXCEEDED, left=available)
    if quantity > need.shown + pledged_here:
        raise Refused(DonationsReason.NEED_EXCEEDED, shown=need.shown + pledged_here)


def _pack(ctx: Context, made: Request, boxes: tuple[int, ...], tokens: tuple[str, ...]) -> None:
    for number, (quantity, token) in enumerate(zip(boxes, tokens, strict=True), start=1):
        if TOKENS.get(ctx.state, token) is not None:
            raise Refused(DonationsReason.TOKEN_USED)
        box_id = _box_id(made.request, number)
        TOKENS.put(ctx.state, token, Found(box_id))
        BOXES.put(ctx.state, box_id, Box(made.request, number, quantity, "packed", 0, "", "", None, None))


def _box_id(request_id: str, number: int) -> str:
    return f"{request_id}/{number:04d}"


def boxes_of(state: Reader, request_id: str) -> list[tuple[str, Box]]:
    return BOXES.page(state, prefix=f"{request_id}/", limit=MAX_BOXES)


def cancel(ctx: Context, request_id: str) -> Result:
    """D13d: the receiver takes a request back before anything is shipped."""
    made = known(ctx.state, request_id)
    masters.own_shelter(ctx, made.shelter)
    _expect(made, "requested")
    _return_to_offer(ctx, made)
    _end(ctx, made, "cancelled", source="requested")
    ctx.emit("request_cancelled", subjects(made), quantity=made.quantity)
    return None


def refuse(ctx: Context, request_id: str, supporter: str) -> Result:
    """D13c: the supporter cannot send what was requested; the offer ends, the need is open again."""
    made = known(ctx.state, request_id)
    if made.supporter != supporter:
        raise Refused(DonationsReason.OTHER_SUPPORTER)
    _expect(made, "requested")
    _end(ctx, made, "cancelled", source="requested")
    ctx.emit("request_refused", subjects(made), quantity=made.quantity)
    return None


def _return_to_offer(ctx: Context, made: Request) -> None:
    offer = offers.known(ctx.state, made.offer)
    if offer.status != "withdrawn":
        books.save_offer(ctx, msgspec.structs.replace(offer, left=offer.left + made.quantity))


def _expect(made: Request, *statuses: RequestStatus) -> None:
    if made.status not in statuses:
        raise Refused(DonationsReason.REQUEST_STATE, request=made.request, status=made.status)


def _end(ctx: Context, made: Request, status: EndStatus, *, source: books.Bucket) -> int:
    """All boxes that have not arrived end with the request; their units are open at the need again."""
    missing = 0
    for box_id, box in boxes_of(ctx.state, made.request):
        if box.status == "packed":
            missing += box.quantity
            BOXES.put(ctx.state, box_id, msgspec.structs.replace(box, status=status))
    need = needs.known(ctx.state, made.need)
    books.save_need(ctx, books.move(need, missing, source=source, target="open"))
    REQUESTS.put(ctx.state, made.request, msgspec.structs.replace(made, status=status))
    return missing


# -- shipping ----------------------------------------------------------------------------------------------------------


def ship(ctx: Context, request_id: str, supporter: str, occurred_ms: int | None) -> Result:
    """D3e: 「発送」 moves the units from requested to shipped. Shipping before a request fails."""
    made = known(ctx.state, request_id)
    if made.supporter != supporter:
        raise Refused(DonationsReason.OTHER_SUPPORTER)
    _expect(made, "requested")
    _ship(ctx, made, masters.happened(ctx, occurred_ms))
    return None


def _ship(ctx: Context, made: Request, at_ms: int) -> Request:
    need = needs.known(ctx.state, made.need)
    books.save_need(ctx, books.move(need, made.quantity, source="requested", target="shipped"))
    shipped = msgspec.structs.replace(made, status="shipped", shipped_ms=at_ms)
    REQUESTS.put(ctx.state, made.request, shipped)
    ctx.emit("shipped", subjects(made), quantity=made.quantity, occurred_ms=at_ms)
    return shipped


# -- arriving ----------------------------------------------------------------------------------------------------------


def receive(
    ctx: Context,
    *,
    token: str,
    shelter_id: str,
    quantity: int | None,
    reason: str,
    divert: bool,
    occurred_ms: int | None,
) -> Result:
    """D9d to D9h: confirming 「受取」 records the arrival of one box; a second time shows the first result."""
    found = TOKENS.get(ctx.state, commitment(token))
    if found is None:
        raise Refused(DonationsReason.NO_BOX)
    box = BOXES.get(ctx.state, found.id)
    if box is None:
        raise BrokenInvariant(f"token leads to box {found.id}, which is not there")
    shelter = masters.own_shelter(ctx, shelter_id)
    made = known(ctx.state, box.request)
    if box.status == "received":
        return _result(made, box, again=True)
    # D13a: what was given up as lost may yet turn up.
    _expect(made, "requested", "shipped", "lost")
    diverted = _diverted(ctx, made, shelter, divert)
    count = box.quantity if quantity is None else quantity
    if count != box.quantity and not reason:
        raise Refused(DonationsReason.NEEDS_REASON, sent=box.quantity)
    at_ms = masters.happened(ctx, occurred_ms)
    if made.status == "requested":
        # D9h: an arrival scanned before 「発送」 records both.
        made = _ship(ctx, made, at_ms)
    _settle(ctx, made, box, 0 if diverted else min(count, box.quantity))
    box = msgspec.structs.replace(
        box,
        status="received",
        received=count,
        received_at=shelter_id,
        reason=reason,
        received_ms=ctx.time_ms,
        occurred_ms=at_ms,
    )
    BOXES.put(ctx.state, found.id, box)
    ARRIVALS.put(ctx.state, f"{masters.place(shelter)}/{ctx.time_ms:015d}/{found.id}", Found(found.id))
    offer = offers.known(ctx.state, made.offer)
    stock.add(ctx, shelter, made.item, made.size, count, offer.goods_expire_ms)
    told = dict.fromkeys([*subjects(made), f"shelter:{shelter_id}"])
    ctx.emit(
        "received", told, box=box.number, sent=box.quantity, received=count, reason=reason, diverted=diverted,
        at=shelter_id, occurred_ms=at_ms,
    )  # fmt: skip
    return _result(made, box, again=False)


def _diverted(ctx: Context, made: Request, shelter: Shelter, divert: bool) -> bool:
    """D9g: at another shelter than the one it is for a box is received only if that is confirmed.

    D10c: what was under way to a closed shelter is expected where that one redirects to.
    """
    if shelter.shelter == made.shelter:
        return False
    expected = masters.known_shelter(ctx.state, made.shelter)
    if not divert and expected.redirect_to != shelter.shelter:
        raise Refused(DonationsReason.WRONG_SHELTER, shelter=made.shelter)
    return True


def _settle(ctx: Context, made: Request, box: Box, arrived: int) -> None:
    """Move the box's units at the need: `arrived` of them are there, the others are open again."""
    need = needs.known(ctx.state, made.need)
    if box.status == "lost":
        # Its units are open again since it was given up, and may be promised by others by now.
        need = books.move(need, min(arrived, need.shown), source="open", target="arrived")
    else:
        need = books.move(need, arrived, source="shipped", target="arrived")
        need = books.move(need, box.quantity - arrived, source="shipped", target="open")
    books.save_need(ctx, need)
    here = made.boxes_arrived + 1
    status: RequestStatus = "received" if here == made.boxes else made.status
    REQUESTS.put(ctx.state, made.request, msgspec.structs.replace(made, boxes_arrived=here, status=status))


def _result(made: Request, box: Box, *, again: bool) -> Result:
    return {
        "request": made.request,
        "box": box.number,
        "boxes": made.boxes,
        "item": made.item,
        "size": made.size,
        "sent": box.quantity,
        "received": box.received,
        "shelter": box.received_at,
        "received_ms": box.received_ms,
        "again": again,
    }


def write_off(ctx: Context, request_id: str, status: Literal["lost", "returned"]) -> Result:
    """D13a, D13b: an officer marks what has not arrived as lost or returned; the need is open again by as much."""
    made = known(ctx.state, request_id)
    masters.own_municipality(ctx, made.shelter)
    _expect(made, "shipped")
    missing = _end(ctx, made, status, source="shipped")
    ctx.emit(status, subjects(made), quantity=missing)
    return {"request": request_id, "quantity": missing}
