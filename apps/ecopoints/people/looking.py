"""What the pages of members look up: a member, device or document that the visitor may see, else there is no page."""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.access_log import note_view
from apps.common.tables import User
from apps.common.web import Kit, Visit
from apps.ecopoints.copy import own_writes
from apps.ecopoints.people.tables import EcoDocument, EcoPerson, EcoPlate
from apps.ecopoints.signing import MEMBER, READERS
from apps.ecopoints.tables import DeviceRow, MemberRow

PAGE_ROWS = 30
MAX_DEVICES = 50
"""As many as the contract lets a member have."""


def is_own(user: User, member: str) -> bool:
    """Whether it is the visitor's own membership."""
    return MEMBER in user.roles and user.pseudonym == member


def may_see(user: User, member: str, municipality: str) -> bool:
    """X6: members see themselves, municipalities and verifiers see their own municipality's members."""
    reads = not READERS.isdisjoint(user.roles) and user.organisation == municipality
    return reads or is_own(user, member)


async def note_look(visit: Visit, kind: str, member: str, about: str = "") -> None:
    """X5: who looks at somebody else's data is recorded."""
    if not is_own(visit.signed_in, member):
        await note_view(visit, kind, about or member)


async def seen_member(visit: Visit) -> MemberRow:
    """The member of the address, left ones too."""
    await own_writes(visit)
    member_id = visit.part("member")[:64]
    member = await visit.kit.database.read(lambda session: session.get(MemberRow, member_id))
    if member is None or not may_see(visit.signed_in, member.member, member.municipality):
        raise web.HTTPNotFound
    return member


async def active_member(visit: Visit) -> MemberRow:
    """The member of the address, if it has not left: for what is entered about it."""
    member = await seen_member(visit)
    if member.left_ms is not None:
        raise web.HTTPNotFound
    return member


async def own_member(visit: Visit) -> MemberRow | None:
    """The visitor as a member; None before they have joined."""
    await own_writes(visit)
    pseudonym = visit.signed_in.pseudonym
    return await visit.kit.database.read(lambda session: session.get(MemberRow, pseudonym))


async def seen_device(visit: Visit) -> DeviceRow:
    """The device of the address."""
    await own_writes(visit)
    device_id = visit.part("device")[:48]
    device = await visit.kit.database.read(lambda session: session.get(DeviceRow, device_id))
    if device is None or not may_see(visit.signed_in, device.member, device.municipality):
        raise web.HTTPNotFound
    return device


async def device_in_use(visit: Visit) -> DeviceRow:
    device = await seen_device(visit)
    if device.retired_ms is not None:
        raise web.HTTPNotFound
    return device


def seen_document(session: Session, user: User, document_id: str) -> EcoDocument | None:
    document = session.get(EcoDocument, document_id[:48])
    return document if document is not None and may_see(user, document.member, document.municipality) else None


def devices_of(session: Session, member: str) -> Sequence[DeviceRow]:
    """A member's devices, those in use first."""
    rows = select(DeviceRow).where(DeviceRow.member == member)
    order = rows.order_by(DeviceRow.retired_ms.is_not(None), DeviceRow.registered_ms, DeviceRow.device)
    return session.scalars(order.limit(MAX_DEVICES)).all()


def plates_of(session: Session, members: Sequence[str]) -> Mapping[tuple[str, str], EcoPlate]:
    """(member, commitment to the serial number) -> what is written on it."""
    rows = session.scalars(select(EcoPlate).where(EcoPlate.member.in_(members)))
    return {(row.member, row.serial): row for row in rows}


def names_of(session: Session, members: Sequence[str]) -> Mapping[str, str]:
    """What people call these members; who was removed has no name."""
    rows = session.scalars(select(EcoPerson).where(EcoPerson.member.in_(members)))
    return {row.member: row.name for row in rows}


@dataclass(frozen=True, slots=True)
class NamedDevice:
    """A device with what its owner calls it."""

    row: DeviceRow
    label: str


def device_label(visit: Visit, device: DeviceRow, plate: EcoPlate | None) -> str:
    kind = visit.t(f"kind_value.{device.kind}")
    return f"{plate.label} ({kind})" if plate is not None and plate.label else f"{kind} {device.device[-6:]}"


def named_devices(session: Session, visit: Visit, member: str) -> list[NamedDevice]:
    plates = plates_of(session, [member])
    return [
        NamedDevice(device, device_label(visit, device, plates.get((member, device.serial))))
        for device in devices_of(session, member)
    ]


def identity(kit: Kit, text: str) -> str:
    """E4e: the commitment to a serial number, supply point or VIN: keyed, and the same each time, however it is typed.

    So the same thing twice is noticed, and nobody without the application's secret can try numbers against the chain.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())
    return hmac.new(kit.settings.secret, b"daicho/eco-identity/1\x00" + plain.encode(), sha256).hexdigest()
