"""避難所 and 品目: the masters, who may act for a shelter, and what may be asked for."""

from __future__ import annotations

import msgspec

from contracts.donations.reasons import DonationsReason
from contracts.donations.types import ITEMS, SHELTERS, Item, Shelter, ShelterStatus
from ledger.contract import Context, Result
from ledger.kv import Reader
from ledger.refusal import Refused

SHELTER = "donations.shelter"
"""避難所の担当者: acts for the shelters whose staff list names it."""
OFFICER = "donations.officer"
"""庁舎の職員: acts for every shelter of its municipality."""
ADMIN = "donations.admin"
"""システム管理者 of the municipality: keeps the masters."""
APP = "donations.app"
"""The application, acting for supporters, who are no members of the ledger."""


def known_shelter(state: Reader, shelter_id: str) -> Shelter:
    shelter = SHELTERS.get(state, shelter_id)
    if shelter is None:
        raise Refused(DonationsReason.NO_SHELTER, shelter=shelter_id)
    return shelter


def own_shelter(ctx: Context, shelter_id: str) -> Shelter:
    """The shelter, if the sender may act for it: an officer of its municipality, or one of its staff (X6)."""
    shelter = own_municipality(ctx, shelter_id)
    if OFFICER not in ctx.sender.roles and ctx.sender.account_id not in shelter.staff:
        raise Refused(DonationsReason.NOT_STAFF, shelter=shelter_id)
    return shelter


def own_municipality(ctx: Context, shelter_id: str) -> Shelter:
    """The shelter, if it belongs to the sender's municipality (X6)."""
    shelter = known_shelter(ctx.state, shelter_id)
    if shelter.municipality != ctx.sender.organisation:
        raise Refused(DonationsReason.OTHER_MUNICIPALITY, municipality=shelter.municipality)
    return shelter


def place(shelter: Shelter) -> str:
    """`<municipality>/<shelter>`: how the ids of what belongs to a shelter begin, so that both can be listed."""
    return f"{shelter.municipality}/{shelter.shelter}"


def not_closed(shelter: Shelter) -> None:
    if shelter.status == "closed":
        raise Refused(DonationsReason.SHELTER_CLOSED, shelter=shelter.shelter)


def usable_item(state: Reader, item_id: str, size: str) -> Item:
    """The item of the master, in a size that it comes in."""
    item = ITEMS.get(state, item_id)
    if item is None:
        raise Refused(DonationsReason.NO_ITEM, item=item_id)
    if not item.in_use:
        raise Refused(DonationsReason.ITEM_WITHDRAWN, item=item_id)
    if size not in item.sizes and (size or item.sizes):
        raise Refused(DonationsReason.NO_SIZE, item=item_id, size=size or "-", sizes=", ".join(item.sizes) or "-")
    return item


def happened(ctx: Context, occurred_ms: int | None) -> int:
    """When it happened: what was written on paper first may be entered later, never before it happens."""
    if occurred_ms is None:
        return ctx.time_ms
    if occurred_ms > ctx.time_ms:
        raise Refused(DonationsReason.NOT_YET)
    return occurred_ms


def register_shelter(ctx: Context, shelter: Shelter) -> Result:
    """D10a."""
    if SHELTERS.get(ctx.state, shelter.shelter) is not None:
        raise Refused(DonationsReason.SHELTER_EXISTS, shelter=shelter.shelter)
    SHELTERS.put(ctx.state, shelter.shelter, shelter)
    ctx.emit("shelter_registered", [f"shelter:{shelter.shelter}"], municipality=shelter.municipality)
    return {"shelter": shelter.shelter}


def change_shelter(ctx: Context, shelter_id: str, **changes: object) -> Result:
    """D10a: names, contact and staff change; the shelter's id and municipality stay."""
    shelter = msgspec.structs.replace(own_municipality(ctx, shelter_id), **changes)
    SHELTERS.put(ctx.state, shelter_id, shelter)
    ctx.emit("shelter_changed", [f"shelter:{shelter_id}"])
    return None


def set_shelter_status(ctx: Context, shelter_id: str, status: ShelterStatus, redirect_to: str) -> Result:
    """D10c: open, full or closed; what is under way to one that is not open is redirected."""
    shelter = own_municipality(ctx, shelter_id)
    if redirect_to:
        target = own_municipality(ctx, redirect_to)
        if redirect_to == shelter_id or target.status == "closed" or status == "open":
            raise Refused(DonationsReason.BAD_REDIRECT, shelter=redirect_to)
    changed = msgspec.structs.replace(shelter, status=status, redirect_to=redirect_to)
    SHELTERS.put(ctx.state, shelter_id, changed)
    told = [f"shelter:{shelter_id}", *([f"shelter:{redirect_to}"] if redirect_to else [])]
    ctx.emit("shelter_status", told, status=status, redirect_to=redirect_to)
    return None


def register_item(ctx: Context, item: Item) -> Result:
    """D10b."""
    if ITEMS.get(ctx.state, item.item) is not None:
        raise Refused(DonationsReason.ITEM_EXISTS, item=item.item)
    ITEMS.put(ctx.state, item.item, item)
    ctx.emit("item_registered", [f"item:{item.item}"])
    return {"item": item.item}


def change_item(ctx: Context, item_id: str, **changes: object) -> Result:
    """D10b: an item is changed, or taken out of use; what was registered under it stays."""
    item = ITEMS.get(ctx.state, item_id)
    if item is None:
        raise Refused(DonationsReason.NO_ITEM, item=item_id)
    if item.kept_by != ctx.sender.organisation:
        raise Refused(DonationsReason.ITEM_OF_OTHER, item=item_id, municipality=item.kept_by)
    ITEMS.put(ctx.state, item_id, msgspec.structs.replace(item, **changes))
    ctx.emit("item_changed", [f"item:{item_id}"])
    return None
