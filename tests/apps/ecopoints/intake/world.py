"""What the intake's tests share: a database, devices with keys, a chain that counts as the contract does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

import apps.ecopoints
from apps.common.database import Database
from apps.common.outbox import FollowUp, Outbox
from apps.ecopoints.intake.packets import Packet, PacketReading, SignedPacket, sign_packet
from apps.ecopoints.intake.registry import KnownDevice
from apps.ecopoints.intake.tables import EcoConflict, EcoReading
from apps.ecopoints.intake.taking import Intake, Outcome
from contracts.ecopoints.metering import HALF_HOUR_MS
from contracts.ecopoints.methodology.calendar import month_start_ms
from ledger.crypto import SigningKey
from tests.apps.common.fakes import FakeChain, FakeClock
from tests.apps.common.harness import database_url, keyring

MONTH = "2026-06"
START = month_start_ms(MONTH)
CITY = "132012"
GATEWAY = f"gateway.{CITY}"
MIGRATIONS = Path(apps.ecopoints.__file__).parent / "migrations"


def key_of(device: str) -> SigningKey:
    return SigningKey(device.encode().ljust(32, b"\x02")[:32])


def at(number: int) -> int:
    """The end of the month's n-th half hour."""
    return START + number * HALF_HOUR_MS


@dataclass
class FakeRegistry:
    """A copy of the chain that tests write by hand."""

    known: dict[str, KnownDevice] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def add(self, device: str, kind: str = "grid", **changes: object) -> KnownDevice:
        base = KnownDevice(device, kind, "", CITY, key_of(device).public_key)
        self.known[device] = replace(base, **changes)  # type: ignore[arg-type]
        return self.known[device]

    def devices(self, session: Session, ids: Collection[str]) -> Mapping[str, KnownDevice]:
        return {device: self.known[device] for device in ids if device in self.known}

    def is_closed(self, session: Session, methodology: str, municipality: str, month: str) -> bool:
        return month in self.closed

    def account(self, municipality: str) -> str:
        return f"gateway.{municipality}"


@dataclass
class World:
    database: Database
    registry: FakeRegistry
    intake: Intake
    chain: FakeChain
    clock: FakeClock
    outbox: Outbox
    follow_ups: dict[str, FollowUp]

    async def send(self, *packets: SignedPacket) -> list[Outcome]:
        return await self.intake.take(packets, self.clock())

    def readings(self) -> dict[tuple[str, str, int], int]:
        rows = self.database.read_now(lambda session: session.scalars(select(EcoReading)).all())
        return {(row.device, row.channel, row.end_ms): row.value for row in rows}

    def conflicts(self) -> set[tuple[str, str, int, int]]:
        rows = self.database.read_now(lambda session: session.scalars(select(EcoConflict)).all())
        return {(row.device, row.channel, row.end_ms, row.value) for row in rows}

    async def settle(self) -> None:
        """The outbox until nothing is due."""
        tried = 1
        while tried:
            tried = await self.outbox.work_once()

    def close(self) -> None:
        self.intake.close()
        self.database.close()


def open_world(folder: Path, kind: str) -> World:
    database = Database(database_url(kind, folder))
    database.migrate(MIGRATIONS)
    clock = FakeClock(at(1_440))
    chain = FakeChain(clock)
    registry = FakeRegistry()
    follow_ups: dict[str, FollowUp] = {}
    outbox = Outbox(database, chain, keyring(GATEWAY), clock, follow_ups)
    return World(database, registry, Intake(database, registry), chain, clock, outbox, follow_ups)


def packet(device: str, sequence: int, values: Mapping[int, int | None], channel: str = "consumed") -> SignedPacket:
    """A packet of half-hourly readings, by their number in the month."""
    readings = tuple(PacketReading(channel, at(n), value) for n, value in values.items())
    return sign_packet(Packet(device, sequence, readings), key_of(device))
