"""Packets in: read, checked, stored in one transaction, each with its own answer. HTTP and MQTT both end here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from apps.common.database import Database
from apps.ecopoints.intake.packets import Checker, PacketReason, Received, SignedPacket, open_packet
from apps.ecopoints.intake.registry import KnownDevice, Registry
from apps.ecopoints.intake.store import KEYS_TOGETHER, RawReading, insert_new, keep
from apps.ecopoints.intake.tables import NO_DATA, EcoPacket
from contracts.ecopoints.methodology.calendar import DAY_MS
from ledger.refusal import Refused, Scalar

CLOCK_AHEAD_MS = 5 * 60_000
MAX_AGE_DAYS = 1_100
"""Three years: a monitoring period, and the time to correct it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a packet. `known`: all of it was there already."""

    status: Literal["stored", "known", "refused"]
    reason: PacketReason | None = None
    params: Mapping[str, Scalar] = field(default_factory=dict)
    new: int = 0
    conflicts: int = 0


class Intake:
    """Takes packets. What it calls stored or known is in the database, synced."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._checker = Checker()

    async def take(self, packets: Sequence[SignedPacket], now_ms: int) -> list[Outcome]:
        """An outcome for each packet, in their order."""
        outcomes: dict[int, Outcome] = {}
        opened: dict[int, Received] = {}
        for place, signed in enumerate(packets):
            try:
                opened[place] = open_packet(signed)
            except Refused as refusal:
                outcomes[place] = _refused(refusal)
        ids = {received.packet.device for received in opened.values()}
        devices = await self._database.read(lambda session: self._registry.devices(session, ids))
        claims: dict[int, tuple[Received, bytes]] = {}
        for place, received in opened.items():
            try:
                claims[place] = (received, _key_for(received, devices, now_ms))
            except Refused as refusal:
                outcomes[place] = _refused(refusal)
        signed_rightly = await asyncio.to_thread(self._checker.check, list(claims.values()))
        good: dict[int, Received] = {}
        for (place, (received, _)), is_right in zip(claims.items(), signed_rightly, strict=True):
            if is_right:
                good[place] = received
            else:
                outcomes[place] = Outcome("refused", PacketReason.BAD_SIGNATURE)
        if good:
            outcomes |= await self._database.write(lambda session: _store(session, good, devices, now_ms))
        return [outcomes[place] for place in range(len(packets))]

    def close(self) -> None:
        self._checker.close()


def _refused(refusal: Refused) -> Outcome:
    reason = refusal.reason
    return Outcome("refused", reason if isinstance(reason, PacketReason) else PacketReason.BAD_PACKET, refusal.params)


def _key_for(received: Received, devices: Mapping[str, KnownDevice], now_ms: int) -> bytes:
    """The key that must have signed; `Refused` if what the packet says cannot be taken from anybody."""
    packet = received.packet
    device = devices.get(packet.device)
    if device is None:
        raise Refused(PacketReason.UNKNOWN_DEVICE, device=packet.device)
    if not device.key:
        raise Refused(PacketReason.NO_KEY, device=packet.device)
    channels = {meter.channel for meter in device.plan.meters}
    for reading in packet.readings:
        if reading.channel not in channels:
            raise Refused(PacketReason.NO_CHANNEL, channel=reading.channel)
        if reading.end_ms > now_ms + CLOCK_AHEAD_MS:
            raise Refused(PacketReason.IN_FUTURE)
        if reading.end_ms < now_ms - MAX_AGE_DAYS * DAY_MS:
            raise Refused(PacketReason.TOO_OLD, days=MAX_AGE_DAYS)
    return device.key


def _store(
    session: Session, good: Mapping[int, Received], devices: Mapping[str, KnownDevice], now_ms: int
) -> dict[int, Outcome]:
    known = _digests(session, good.values())
    outcomes: dict[int, Outcome] = {}
    fresh: dict[int, Received] = {}
    for place, received in good.items():
        packet = received.packet
        digest = known.setdefault((packet.device, packet.sequence), received.digest)
        if digest == received.digest:
            fresh[place] = received
        else:
            outcomes[place] = Outcome("refused", PacketReason.SEQUENCE_USED, {"sequence": packet.sequence})
    rows: list[dict[str, object]] = [
        {"device": device, "sequence": sequence, "digest": digest, "received_ms": now_ms}
        for (device, sequence), digest in known.items()
    ]
    insert_new(session, EcoPacket, rows, EcoPacket.sequence)
    readings = {place: _raw(received) for place, received in fresh.items()}
    kept = keep(session, [r for raw in readings.values() for r in raw], devices, now_ms, manual=False)
    new, conflicts = set(kept.new), set(kept.conflicts)
    for place, raw in readings.items():
        mine, contradicting = new & {r.key for r in raw}, conflicts & set(raw)
        new -= mine
        conflicts -= contradicting
        status: Literal["stored", "known"] = "stored" if mine or contradicting else "known"
        outcomes[place] = Outcome(status, new=len(mine), conflicts=len(contradicting))
    return outcomes


def _raw(received: Received) -> list[RawReading]:
    return [
        RawReading(received.packet.device, r.channel, r.end_ms, NO_DATA if r.value is None else r.value)
        for r in received.packet.readings
    ]


def _digests(session: Session, packets: Iterable[Received]) -> dict[tuple[str, int], bytes]:
    """The packets that are there already under these numbers."""
    keys = [(p.packet.device, p.packet.sequence) for p in packets]
    found: dict[tuple[str, int], bytes] = {}
    for start in range(0, len(keys), KEYS_TOGETHER):
        part = keys[start : start + KEYS_TOGETHER]
        columns = (EcoPacket.device, EcoPacket.sequence)
        query = select(*columns, EcoPacket.digest).where(tuple_(*columns).in_(part))
        found |= {(device, sequence): digest for device, sequence, digest in session.execute(query)}
    return found
