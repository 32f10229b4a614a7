"""The books of needs and offers: the one place where their rows are written, with the indexes that lead to them.

What must hold of a row is held here, at every write: every unit of a need is in exactly one bucket, an offer promises
no more than it has left, and an index names what is open and nothing else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from contracts.donations.types import (
    NEEDS,
    OFFERS,
    OPEN_NEEDS,
    OPEN_OFFERS,
    PLEDGES,
    Need,
    Offer,
    OfferStatus,
)
from ledger.contract import Context
from ledger.refusal import BrokenInvariant
from ledger.table import Mark, Table, Writer

Bucket = Literal["open", "pledged", "requested", "shipped", "arrived"]


def place(need: Need) -> str:
    """`<municipality>/<shelter>/<item>/<size>`: where the open needs for one thing at one shelter stand together."""
    return f"{need.municipality}/{need.shelter}/{need.item}/{need.size}"


def move(need: Need, quantity: int, *, source: Bucket, target: Bucket) -> Need:
    """The need with `quantity` units moved from one bucket to another. Nothing is ever subtracted twice."""
    buckets: dict[Bucket, int] = {
        "open": need.shown,
        "pledged": need.pledged,
        "requested": need.requested,
        "shipped": need.shipped,
        "arrived": need.arrived,
    }
    buckets[source] -= quantity
    buckets[target] += quantity
    if quantity < 0 or min(buckets.values()) < 0:
        raise BrokenInvariant(f"need {need.need}: {quantity} from {source} to {target} leaves less than nothing")
    return msgspec.structs.replace(
        need,
        pledged=buckets["pledged"],
        requested=buckets["requested"],
        shipped=buckets["shipped"],
        arrived=buckets["arrived"],
    )


def save_need(ctx: Context, need: Need) -> None:
    """Write a need. It stands in the index of open needs while something of it is shown and it is not closed."""
    if min(need.pledged, need.requested, need.shipped, need.arrived, need.shown) < 0:
        raise BrokenInvariant(f"need {need.need} has a unit in no bucket or in two")
    if not min(need.pledged, 1) <= need.pledges <= need.pledged:
        raise BrokenInvariant(f"need {need.need} has {need.pledged} pledged in {need.pledges} pledges")
    NEEDS.put(ctx.state, need.need, need)
    _index(ctx.state, OPEN_NEEDS, f"{place(need)}/{need.need}", listed=need.shown > 0 and not need.closed)


def save_offer(ctx: Context, offer: Offer) -> Offer:
    """Write an offer, as it then stands: one of which nothing is left is used up until something comes back."""
    if not 0 <= offer.pledged <= offer.left <= offer.quantity or bool(offer.pledged) != bool(offer.need):
        raise BrokenInvariant(f"offer {offer.offer} promises {offer.pledged} of {offer.left} to {offer.need or 'none'}")
    status: OfferStatus = "withdrawn" if offer.status == "withdrawn" else "open" if offer.left else "used_up"
    if status == "withdrawn" and offer.left:
        raise BrokenInvariant(f"offer {offer.offer} is withdrawn and has {offer.left} left")
    offer = msgspec.structs.replace(offer, status=status)
    OFFERS.put(ctx.state, offer.offer, offer)
    _index(ctx.state, OPEN_OFFERS, f"{offer.item}/{offer.size}/{offer.offer}", listed=status == "open")
    return offer


def _index(state: Writer, table: Table[Mark], row_id: str, *, listed: bool) -> None:
    present = table.get(state, row_id) is not None
    if listed and not present:
        table.put(state, row_id, Mark())
    elif present and not listed:
        table.delete(state, row_id)


def unpledge(ctx: Context, need: Need, offer: Offer, quantity: int) -> tuple[Need, Offer]:
    """Part of a pledge returns to both need and offer. The offer is written here; the need is the caller's to save."""
    rest = offer.pledged - quantity
    if offer.need != need.need or quantity <= 0 or rest < 0:
        raise BrokenInvariant(f"offer {offer.offer} does not pledge {quantity} to {need.need}")
    if rest == 0:
        PLEDGES.delete(ctx.state, f"{need.need}/{offer.offer}")
        need = msgspec.structs.replace(need, pledges=need.pledges - 1)
    offer = save_offer(ctx, msgspec.structs.replace(offer, pledged=rest, need=offer.need if rest else ""))
    return move(need, quantity, source="pledged", target="open"), offer
