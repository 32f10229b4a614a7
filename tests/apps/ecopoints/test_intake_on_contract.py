"""From signed packets to the contract's month totals and back: intake, batcher, real contract, copy."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import apps.ecopoints
from apps.common.application import Site
from apps.common.outbox import Settled
from apps.common.web import Kit
from apps.ecopoints import copy
from apps.ecopoints.copy import COPY
from apps.ecopoints.intake.batcher import WRITE_KIND, Batcher, proof_of
from apps.ecopoints.intake.packets import Packet, PacketReading, SignedPacket, sign_packet
from apps.ecopoints.intake.tables import EcoReading
from apps.ecopoints.intake.taking import Intake
from apps.ecopoints.registered import CopiedRegistry
from apps.ecopoints.signing import admin_account, app_account
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow
from contracts.ecopoints.metering import HALF_HOUR_MS
from contracts.ecopoints.methodology import month_start_ms
from ledger import merkle
from ledger.crypto import SigningKey
from ledger.encoding import Value
from tests.apps.common.fakes import FakeClock
from tests.apps.common.harness import database_url, on_both_databases, serve, settings
from tests.apps.ecopoints.chain import EcoChain, keyring
from tests.contracts.ecopoints.programme import PV, commitment
from tests.contracts.world import HACHIOJI

MONTH = "2024-06"
MORNING = 16
"""The first half hour of daylight that is used, in half hours after midnight in Japan."""
HERE = Path(apps.ecopoints.__file__).parent


@dataclass
class Town:
    """The application without its pages, and the plants of its members."""

    kit: Kit
    chain: EcoChain
    batcher: Batcher
    intake: Intake

    async def join(self, member: str) -> str:
        """A member with a solar plant, as the copy shows it; the plant's id."""
        world = self.chain.world
        call = partial(self.write, app_account(HACHIOJI))
        await call("register_member", member=member, kind="household")
        await call(
            "register_device", member=member, kind="pv", methodology=PV, parameters={"capacity_w": 3_000},
            key=key_of(member).public_key.hex(), serial=commitment(member), place=commitment(f"at {member}"),
        )  # fmt: skip
        await self.copied()
        rows = world.query("ecopoints", "devices", member=member)["rows"]
        return str(rows[0]["device"])

    async def write(self, account: str, method: str, **args: Value) -> None:
        world = self.chain.world
        world.time_ms = max(self.kit.clock(), world.time_ms + 1)
        await self.chain.submit(world.transaction(account, "ecopoints", method, **args).raw)

    async def copied(self) -> None:
        """Until the copy shows all that is in the chain."""
        async with asyncio.timeout(30):
            while await self.kit.database.read(COPY.height) < len(self.chain.blocks):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    async def all_recorded(self) -> None:
        """Plan and hand in until no reading waits."""
        query = select(EcoReading.device).where(EcoReading.batch_id.is_(None)).limit(1)
        while await self.batcher.plan_once():
            await self.kit.outbox.work_once()
        assert await self.kit.database.read(lambda session: session.scalar(query)) is None
        await self.copied()

    async def month(self, device: str) -> DeviceMonthRow:
        found = await self.kit.database.read(lambda session: session.get(DeviceMonthRow, (device, MONTH)))
        assert found is not None
        return found


def key_of(member: str) -> SigningKey:
    return SigningKey(f"key of {member}".encode().ljust(32, b".")[:32])


def packets(device: str, member: str, *, count: int = 9, kwh_per_slot: int = 1) -> list[SignedPacket]:
    """One packet for each half hour of a morning: each slot generates, and half of it is sold."""
    start = month_start_ms(MONTH) + MORNING * HALF_HOUR_MS
    found = []
    for n in range(count):
        end_ms, wh = start + n * HALF_HOUR_MS, n * kwh_per_slot * 1_000
        readings = (PacketReading("generated", end_ms, wh), PacketReading("sold", end_ms, wh // 2))
        found.append(sign_packet(Packet(device, n + 1, readings), key_of(member)))
    return found


@asynccontextmanager
async def open_town(folder: Path, database_kind: str) -> AsyncIterator[Town]:
    clock = FakeClock(1_800_000_000_000 + 3_600_000)
    chain = EcoChain(clock)
    made: list[Batcher] = []

    def settle(_kit: Kit, settled: Settled) -> None:
        made[0].settle(settled)

    site = Site(
        name="ecopoints", pages=(), migrations=HERE / "migrations", follow_ups={WRITE_KIND: settle},
        background=(COPY.keep,),
    )  # fmt: skip
    async with serve(site, settings(database_url(database_kind, folder)), chain, keyring(), clock) as running:
        kit, registry = running.kit, CopiedRegistry()
        made.append(Batcher(kit.database, kit.outbox, registry, clock))
        town = Town(kit, chain, made[0], Intake(kit.database, registry))
        chain.world.done(admin_account(HACHIOJI), "ecopoints", "set_programme", region="tepco")
        keeping = asyncio.create_task(COPY.keep(kit))
        try:
            yield town
        finally:
            keeping.cancel()
            town.intake.close()


@pytest.mark.function("E2a")
@on_both_databases
async def test_readings_reach_the_contract_and_come_back_in_the_copy(tmp_path: Path, database_kind: str) -> None:
    async with open_town(tmp_path, database_kind) as town:
        device = await town.join("member-1")
        outcomes = await town.intake.take(packets(device, "member-1"), town.kit.clock())
        assert {o.status for o in outcomes} == {"stored"}
        await town.all_recorded()
        row = await town.month(device)
        assert (row.totals, row.covered) == ({"generated": 8_000, "sold": 4_000}, 8)
        known = await town.kit.database.read(lambda session: session.get(DeviceRow, device))
        assert known is not None and known.readings == 18


@on_both_databases
async def test_shuffled_and_resent_in_parts_gives_the_same_on_the_chain(tmp_path: Path, database_kind: str) -> None:
    async with open_town(tmp_path, database_kind) as town:
        members = [f"member-{n}" for n in range(5)]
        devices = {m: await town.join(m) for m in members}
        sent = [p for m in members for p in packets(devices[m], m)] * 2
        random.Random(7).shuffle(sent)
        for start in range(0, len(sent), 13):
            await town.intake.take(sent[start : start + 13], town.kit.clock())
            if start % 2:
                await town.all_recorded()
        await town.all_recorded()
        for device in devices.values():
            assert (await town.month(device)).totals == {"generated": 8_000, "sold": 4_000}
            assert town.chain.world.query("ecopoints", "device", device=device)["readings"] == 18


@on_both_databases
async def test_a_reading_is_proved_by_the_root_that_the_chain_has(tmp_path: Path, database_kind: str) -> None:
    async with open_town(tmp_path, database_kind) as town:
        device = await town.join("member-1")
        await town.intake.take(packets(device, "member-1"), town.kit.clock())
        await town.all_recorded()
        end_ms = month_start_ms(MONTH) + (MORNING + 3) * HALF_HOUR_MS
        proof = await town.kit.database.read(lambda session: proof_of(session, device, "generated", end_ms))
        assert proof is not None
        (batch,) = town.chain.world.query("ecopoints", "batches", municipality=HACHIOJI)["rows"]
        assert (batch["batch"], batch["root"]) == (proof.batch, proof.root.hex())
        assert merkle.verify_inclusion(proof.root, proof.leaf, proof.index, proof.count, proof.path)


@on_both_databases
async def test_the_copy_asks_for_many_devices_and_for_all_their_months(
    tmp_path: Path, database_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "DEVICES_TOGETHER", 2)
    monkeypatch.setattr(copy, "PAGE", 1)
    async with open_town(tmp_path, database_kind) as town:
        devices = {member: await town.join(member) for member in ("member-1", "member-2", "member-3")}
        for device in devices.values():
            for month in ("2024-06", "2024-07", "2024-08"):
                await town.write(
                    app_account(HACHIOJI), "enter_value", device=device, month=month, channel="generated", value=1_000
                )
        await town.copied()

        def months(session: Session) -> set[tuple[str, str]]:
            return {(row.device, row.month) for row in session.scalars(select(DeviceMonthRow))}

        found = await town.kit.database.read(months)
        assert found == {(d, m) for d in devices.values() for m in ("2024-06", "2024-07", "2024-08")}


@pytest.mark.function("E4f")
@on_both_databases
async def test_what_an_officer_releases_counts_from_then_on(tmp_path: Path, database_kind: str) -> None:
    async with open_town(tmp_path, database_kind) as town:
        device = await town.join("member-1")
        # Three kilowatts give 1.5 kWh in half an hour, and a tolerance: 8 kWh cannot be believed.
        await town.intake.take(packets(device, "member-1", count=2, kwh_per_slot=8), town.kit.clock())
        await town.all_recorded()
        row = await town.month(device)
        assert (row.totals, row.quarantined > 0) == ({"generated": 0, "sold": 0}, True)
        end_ms = month_start_ms(MONTH) + (MORNING + 1) * HALF_HOUR_MS
        for channel in ("generated", "sold"):
            await town.write(
                f"eco-officer-1.{HACHIOJI}", "release_reading", device=device, channel=channel,
                interval_end_ms=end_ms, why="meter_checked",
            )  # fmt: skip
        await town.copied()
        await town.all_recorded()
        row = await town.month(device)
        assert (row.totals, row.quarantined) == ({"generated": 8_000, "sold": 4_000}, 0)
