"""会員 and 機器: who takes part, with what, and that nothing takes part twice."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts import points
from contracts.ecopoints.methodology import METHODOLOGIES
from contracts.ecopoints.reasons import EcoReason
from contracts.ecopoints.types import (
    DEVICES,
    DEVICES_IN,
    DEVICES_OF,
    IDENTITIES,
    MEMBERS,
    MEMBERS_OF,
    PROGRAMMES,
    Device,
    DeviceKind,
    Found,
    Member,
    MemberKind,
    Programme,
)
from ledger.contract import Context, Result
from ledger.refusal import Refused
from ledger.table import Mark

ADMIN = "ecopoints.admin"
"""システム管理者 of the municipality: sets up the programme."""
OFFICER = "ecopoints.officer"
"""事業担当の職員 of the municipality."""
APP = "ecopoints.app"
"""The application of a municipality, acting for members, who are no members of the ledger."""
GATEWAY = "ecopoints.gateway"
"""Records batches of readings for a municipality."""


def own(ctx: Context, municipality: str) -> None:
    """X6: everybody acts for their own municipality only."""
    if municipality != ctx.sender.organisation:
        raise Refused(EcoReason.OTHER_MUNICIPALITY, municipality=municipality)


def programme(ctx: Context) -> Programme:
    found = PROGRAMMES.get(ctx.state, ctx.sender.organisation)
    if found is None:
        raise Refused(EcoReason.NO_PROGRAMME, municipality=ctx.sender.organisation)
    return found


def known(ctx: Context, member_id: str) -> Member:
    """The member of the sender's municipality, whether it has left or not."""
    member = MEMBERS.get(ctx.state, member_id)
    if member is None:
        raise Refused(EcoReason.NO_MEMBER, member=member_id)
    own(ctx, member.municipality)
    return member


def active(ctx: Context, member_id: str) -> Member:
    member = known(ctx, member_id)
    if member.left_ms is not None:
        raise Refused(EcoReason.MEMBER_LEFT, member=member_id)
    return member


def known_device(ctx: Context, device_id: str) -> Device:
    """The device of the sender's municipality, retired or not."""
    device = DEVICES.get(ctx.state, device_id)
    if device is None:
        raise Refused(EcoReason.NO_DEVICE, device=device_id)
    own(ctx, device.municipality)
    return device


def device_in_use(ctx: Context, device_id: str) -> Device:
    device = known_device(ctx, device_id)
    if device.retired_ms is not None:
        raise Refused(EcoReason.DEVICE_RETIRED, device=device_id)
    return device


def set_programme(ctx: Context, region: str) -> Result:
    """Set up the municipality's programme, or change the region whose factors it uses from the next period on."""
    municipality = ctx.sender.organisation
    found = PROGRAMMES.get(ctx.state, municipality)
    PROGRAMMES.put(ctx.state, municipality, Programme(municipality, region, found.members if found else 0))
    ctx.emit("programme_set", [f"programme:{municipality}"], region=region)
    return None


def register(ctx: Context, member_id: str, kind: MemberKind) -> Result:
    """E4c: a household or a firm joins. An id is never used again, also not by who has left."""
    place = programme(ctx)
    if MEMBERS.get(ctx.state, member_id) is not None:
        raise Refused(EcoReason.MEMBER_EXISTS, member=member_id)
    municipality, number = place.municipality, place.members
    MEMBERS.put(ctx.state, member_id, Member(member_id, municipality, kind, number, ctx.time_ms, None))
    MEMBERS_OF.put(ctx.state, f"{municipality}/{number:08d}", Found(member_id))
    PROGRAMMES.put(ctx.state, municipality, msgspec.structs.replace(place, members=number + 1))
    points.open_account(ctx, member_id, "resident", municipality)
    ctx.emit("member_registered", [f"member:{member_id}"], municipality=municipality, kind=kind)
    return {"member": member_id}


def leave(ctx: Context, member_id: str) -> Result:
    """E4c: a member leaves with its devices, its points expire. What it did stays, under a pseudonym."""
    member = active(ctx, member_id)
    for row_id, _ in DEVICES_OF.page(ctx.state, prefix=f"{member_id}/", limit=MAX_DEVICES):
        device = known_device(ctx, row_id.rsplit("/", 1)[1])
        if device.retired_ms is None:
            retire(ctx, device)
    MEMBERS.put(ctx.state, member_id, msgspec.structs.replace(member, left_ms=ctx.time_ms))
    points.close_account(ctx, member_id)
    ctx.emit("member_left", [f"member:{member_id}"])
    return None


MAX_DEVICES = 50
"""Devices of one member, so that leaving stays one call."""


def register_device(
    ctx: Context, *, member_id: str, kind: DeviceKind, methodology: str, parameters: Mapping[str, int | str],
    key: str, serial: str, place: str,
) -> Result:  # fmt: skip
    """E4c, E4e: a member's car, plant, generator or meter. The same serial number or place twice is refused."""
    member = active(ctx, member_id)
    if len(DEVICES_OF.page(ctx.state, prefix=f"{member_id}/", limit=MAX_DEVICES)) == MAX_DEVICES:
        raise Refused(EcoReason.TOO_MANY_DEVICES, limit=MAX_DEVICES)
    if kind == "grid":
        fits = not methodology and not parameters
    else:
        rules = METHODOLOGIES.get(methodology)
        fits = rules is not None and kind in rules.device_kinds
        if rules is not None:
            rules.check_parameters(parameters, kind)
    if not fits:
        raise Refused(EcoReason.NO_METHODOLOGY, methodology=methodology or "-", kind=kind)
    device_id = ctx.new_id("device")
    for identity in dict.fromkeys((f"{kind}/{serial}", f"{kind}/{place}")):
        taken = IDENTITIES.get(ctx.state, identity)
        if taken is not None:
            raise Refused(EcoReason.IDENTITY_TAKEN, device=taken.id)
        IDENTITIES.put(ctx.state, identity, Found(device_id))
    device = Device(
        device_id, member_id, member.municipality, kind, methodology, dict(parameters), key, serial, place,
        readings=0, registered_ms=ctx.time_ms, retired_ms=None,
    )  # fmt: skip
    DEVICES.put(ctx.state, device_id, device)
    DEVICES_OF.put(ctx.state, f"{member_id}/{device_id}", Mark())
    if methodology:
        DEVICES_IN.put(ctx.state, f"{member.municipality}/{methodology}/{device_id}", Mark())
    ctx.emit("device_registered", subjects(device), kind=kind, methodology=methodology)
    return {"device": device_id}


def subjects(device: Device) -> list[str]:
    return [f"device:{device.device}", f"member:{device.member}"]


def retire(ctx: Context, device: Device) -> None:
    """A device is sold or scrapped: its identity is free for its next owner, its readings stay counted."""
    for identity in dict.fromkeys((f"{device.kind}/{device.serial}", f"{device.kind}/{device.place}")):
        IDENTITIES.delete(ctx.state, identity)
    DEVICES.put(ctx.state, device.device, msgspec.structs.replace(device, retired_ms=ctx.time_ms))
    ctx.emit("device_retired", subjects(device))


def change_key(ctx: Context, device_id: str, key: str) -> Result:
    """The device or its gateway was replaced: its next readings are signed by another key."""
    device = device_in_use(ctx, device_id)
    DEVICES.put(ctx.state, device_id, msgspec.structs.replace(device, key=key))
    ctx.emit("device_key_changed", subjects(device))
    return None
