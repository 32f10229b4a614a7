"""Readings to the chain: hundreds of devices in one transaction, a Merkle root over the readings, totals by month.

A batch is planned in one database transaction with its write in the outbox, and settled in one with its receipt. So it
can be killed anywhere: it loses nothing, and the chain, which checks each device's count, takes nothing twice. One
batch at a time is on its way for a device; what arrives meanwhile goes into the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from apps.common.database import Base, Database
from apps.common.language import Clock
from apps.common.outbox import Call, Outbox, Settled
from apps.ecopoints.intake.planning import BATCH, CORRECTION, Part, Planning
from apps.ecopoints.intake.registry import KnownDevice, Registry
from apps.ecopoints.intake.store import insert_new, write_over
from apps.ecopoints.intake.tables import NO_DATA, EcoBatch, EcoChanged, EcoMeter, EcoMonth, EcoReading
from contracts.ecopoints.types import ECOPOINTS, MAX_BATCH_DEVICES, DeviceEntry
from ledger import merkle
from ledger.encoding import Value, encode, pack

WRITE_KIND = "readings.batch"
"""Of the outbox: its follow-up is `Batcher.settle`."""
MAX_ENTRY_BYTES = 40_000
"""Of all devices in a batch: the transaction stays below 48 kB."""
MAX_LEAVES = 40_000
ROUND_S = 30.0
FIRST_RETRY_MS = 10_000
LAST_RETRY_MS = 60 * 60_000


READINGS, CHANGED = Base.metadata.tables["eco_readings"], Base.metadata.tables["eco_changed"]
PLACE = (
    READINGS.update()
    .where(
        READINGS.c.device == bindparam("of_device"),
        READINGS.c.channel == bindparam("of_channel"),
        READINGS.c.end_ms == bindparam("at_ms"),
    )
    .values(batch_id=bindparam("batch"), leaf=bindparam("place"))
)
"""A reading's place in a batch; tens of thousands at a time."""
FORGET = CHANGED.delete().where(CHANGED.c.device == bindparam("of_device"), CHANGED.c.month == bindparam("of_month"))


@dataclass(frozen=True, slots=True)
class ReadingProof:
    """That a reading is in a batch: `ledger.merkle.verify_inclusion(root, leaf, index, count, path)`."""

    batch: str
    root: bytes
    leaf: bytes
    index: int
    count: int
    path: tuple[bytes, ...]


def leaf_of(device: str, channel: str, end_ms: int, value: int) -> bytes:
    """A reading's leaf: the canonical bytes of (device, channel, end of the interval, value or None)."""
    return encode((device, channel, end_ms, None if value == NO_DATA else value))


class Batcher:
    def __init__(self, database: Database, outbox: Outbox, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._registry = registry
        self._clock = clock

    async def run(self) -> None:
        """The worker: until it is cancelled."""
        while True:
            if await self.plan_once():
                self._outbox.wake()
            else:
                await asyncio.sleep(ROUND_S)

    async def plan_once(self) -> bool:
        """Plan a batch of what is new; whether there was anything to look at."""
        return await self._database.write(self._plan)

    def _plan(self, session: Session) -> bool:
        due = self._due(session)
        if not due:
            return False
        known = self._registry.devices(session, due)
        self._later(session, [device for device in due if device not in known])
        municipality = next((known[device].municipality for device in due if device in known), "")
        chosen = {d: known[d] for d in due if d in known and known[d].municipality == municipality}
        planning = Planning(session, self._registry, _few_enough(session, chosen))
        parts: list[Part] = []
        nothing: list[Part] = []
        size = 0
        for device in planning.devices:
            part = planning.part_of(device)
            if part.is_nothing:
                nothing.append(part)
                continue
            size += len(encode(_plain(part.entry)))
            if parts and (part.goes_alone or size > MAX_ENTRY_BYTES):
                break
            parts.append(part)
            if part.goes_alone:
                break
        _no_longer_noted(session, [*parts, *nothing])
        if parts:
            self._put(session, municipality, parts)
        return True

    def _due(self, session: Session) -> Sequence[str]:
        """Devices with something new and nothing on its way."""
        now_ms = self._clock()
        return session.scalars(
            select(EcoChanged.device)
            .distinct()
            .outerjoin(EcoMeter, EcoMeter.device == EcoChanged.device)
            .where(EcoMeter.device.is_(None) | (EcoMeter.batch_id.is_(None) & (EcoMeter.next_ms <= now_ms)))
            .order_by(EcoChanged.device)
            .limit(MAX_BATCH_DEVICES)
        ).all()

    def _later(self, session: Session, devices: Sequence[str]) -> None:
        """Nobody knows these devices yet: not before an hour."""
        next_ms = self._clock() + LAST_RETRY_MS
        rows: list[dict[str, object]] = [
            {"device": device, "readings": 0, "batch_id": None, "refusals": 0, "next_ms": next_ms} for device in devices
        ]
        write_over(session, EcoMeter, rows, "next_ms")

    def _put(self, session: Session, municipality: str, parts: Sequence[Part]) -> None:
        rows = [(part.device.device, *reading) for part in parts for reading in part.new]
        root = merkle.root([leaf_of(*row) for row in rows])
        entries = [_plain(part.entry) for part in parts]
        is_correction = parts[0].is_correction
        batch = EcoBatch(
            municipality=municipality, method=CORRECTION if is_correction else BATCH, root=root, readings=len(rows),
            entries=entries, state="waiting", batch="", planned_ms=self._clock(),
        )  # fmt: skip
        session.add(batch)
        session.flush()
        meters: list[dict[str, object]] = [
            {
                "device": part.entry.device, "readings": part.entry.before, "batch_id": batch.id, "refusals": 0,
                "next_ms": 0, "progress": None if part.progress is None else pack(part.progress),
            }
            for part in parts
        ]  # fmt: skip
        write_over(session, EcoMeter, meters, "batch_id", "progress")
        if rows:
            places = [
                {"of_device": device, "of_channel": channel, "at_ms": end_ms, "batch": batch.id, "place": leaf}
                for leaf, (device, channel, end_ms, _) in enumerate(rows)
            ]
            session.connection().execute(PLACE, places)
        arguments: dict[str, Value] = {"root": root, "readings": len(rows)}
        arguments |= {"entry": entries[0]} if is_correction else {"devices": entries}
        call = Call(self._registry.account(municipality), ECOPOINTS, batch.method, arguments)
        self._outbox.put(session, WRITE_KIND, call, reference=f"batch:{batch.id}")

    def settle(self, settled: Settled) -> None:
        """What follows from the chain's decision, in its transaction: the copy moves on, or the readings are free."""
        session = settled.session
        batch = session.get_one(EcoBatch, int(settled.write.reference.removeprefix("batch:")))
        if batch.state != "waiting":
            return
        entries = [msgspec.convert(entry, DeviceEntry) for entry in batch.entries]
        if settled.done and settled.receipt is not None:
            batch.state, batch.batch = "done", str(settled.receipt.result["batch"])
            self._recorded(session, entries)
        else:
            batch.state = "refused"
            session.execute(
                update(EcoReading).where(EcoReading.batch_id == batch.id).values(batch_id=None, leaf=None)
            )  # fmt: skip
            for entry in entries:
                self._refused(session, entry)

    def _recorded(self, session: Session, entries: Sequence[DeviceEntry]) -> None:
        meters = [{"device": e.device, "readings": e.readings, "batch_id": None, "refusals": 0} for e in entries]
        session.execute(update(EcoMeter), meters)
        months: list[dict[str, object]] = [
            {"device": entry.device, "month": month.month, "entry": msgspec.to_builtins(month)}
            for entry in entries
            for month in entry.months
        ]
        write_over(session, EcoMonth, months, "entry")

    def _refused(self, session: Session, entry: DeviceEntry) -> None:
        """Each device of a refused batch goes alone next time, so that one of them cannot hold up the others."""
        meter = session.get_one(EcoMeter, entry.device)
        meter.next_ms = self._clock() + min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** min(meter.refusals, 10))
        meter.batch_id, meter.refusals, meter.progress = None, meter.refusals + 1, None
        rows: list[dict[str, object]] = [{"device": entry.device, "month": m.month} for m in entry.months]
        insert_new(session, EcoChanged, rows, EcoChanged.month)


def _few_enough(session: Session, devices: Mapping[str, KnownDevice]) -> Mapping[str, KnownDevice]:
    """The first of the devices, so many that their new readings fit into a batch; one at least."""
    query = select(EcoReading.device, func.count()).where(
        EcoReading.device.in_(list(devices)), EcoReading.batch_id.is_(None)
    )
    waiting = {row.device: int(row[1]) for row in session.execute(query.group_by(EcoReading.device))}
    chosen: dict[str, KnownDevice] = {}
    leaves = 0
    for device, known in devices.items():
        leaves += waiting.get(device, 0)
        if chosen and leaves > MAX_LEAVES:
            break
        chosen[device] = known
    return chosen


def _no_longer_noted(session: Session, parts: Sequence[Part]) -> None:
    notes = [{"of_device": part.entry.device, "of_month": month} for part in parts for month in part.reckoned]
    if notes:
        session.connection().execute(FORGET, notes)


def _plain(entry: DeviceEntry) -> dict[str, Value]:
    plain: dict[str, Value] = msgspec.to_builtins(entry)
    return plain


def proof_of(session: Session, device: str, channel: str, end_ms: int) -> ReadingProof | None:
    """The proof that a reading is in a batch on the chain; None while it is not."""
    reading = session.get(EcoReading, (device, channel, end_ms))
    if reading is None or reading.batch_id is None or reading.leaf is None:
        return None
    batch = session.get_one(EcoBatch, reading.batch_id)
    if batch.state != "done":
        return None
    query = (
        select(EcoReading.device, EcoReading.channel, EcoReading.end_ms, EcoReading.value)
        .where(EcoReading.batch_id == batch.id)
        .order_by(EcoReading.leaf)
    )
    leaves = [leaf_of(*row) for row in session.execute(query)]
    path = merkle.prove(leaves, reading.leaf)
    return ReadingProof(batch.batch, batch.root, leaves[reading.leaf], reading.leaf, len(leaves), path)
