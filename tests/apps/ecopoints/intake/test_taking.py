"""Taking packets: signed by the device, stored once, contradictions kept."""

from __future__ import annotations

import random
import time

import pytest
from sqlalchemy import inspect, select

from apps.common.database import Base
from apps.ecopoints.intake.packets import Packet, PacketReading, PacketReason, SignedPacket, sign_packet
from apps.ecopoints.intake.tables import NO_DATA, EcoChanged, EcoReading
from contracts.ecopoints.methodology.calendar import DAY_MS
from tests.apps.ecopoints.intake.world import MONTH, World, at, key_of, packet


@pytest.fixture
def meter(world: World) -> str:
    return world.registry.add("meter-1").device


@pytest.mark.function("EIb")
async def test_the_same_again_is_nothing(world: World, meter: str) -> None:
    sent = packet(meter, 1, {0: 100, 1: 200, 2: None})
    assert [(o.status, o.new) for o in await world.send(sent)] == [("stored", 3)]
    before = world.readings()
    assert before[meter, "consumed", at(2)] == NO_DATA
    again = await world.send(sent, sent, packet(meter, 2, {0: 100, 1: 200}))
    assert [(o.status, o.new) for o in again] == [("known", 0)] * 3
    assert world.readings() == before and world.conflicts() == set()


@pytest.mark.function("EIb")
async def test_another_value_is_a_kept_conflict_and_the_first_stays(world: World, meter: str) -> None:
    await world.send(packet(meter, 1, {0: 100, 1: 200}))
    outcomes = await world.send(packet(meter, 2, {1: 250, 2: 300}), packet(meter, 3, {1: 250, 2: 301}))
    assert [(o.new, o.conflicts) for o in outcomes] == [(1, 1), (0, 1)]
    assert [world.readings()[meter, "consumed", at(n)] for n in range(3)] == [100, 200, 300]
    assert world.conflicts() == {(meter, "consumed", at(1), 250), (meter, "consumed", at(2), 301)}
    flagged = world.database.read_now(
        lambda session: set(session.scalars(select(EcoReading.end_ms).where(EcoReading.conflict)))
    )
    assert flagged == {at(1), at(2)}


async def test_a_device_that_lies_on_and_on_fills_nothing(world: World, meter: str) -> None:
    await world.send(*(packet(meter, n, {0: 100 + n}) for n in range(20)))
    assert len(world.conflicts()) == 4


async def test_months_that_may_change_are_noted(world: World, meter: str) -> None:
    await world.send(packet(meter, 1, {20 * 48: 100}))
    changed = world.database.read_now(lambda s: [(c.device, c.month) for c in s.scalars(select(EcoChanged))])
    assert changed == [(meter, MONTH)]


class TestRefusals:
    @pytest.mark.function("EIa")
    async def test_only_the_devices_key_may_sign(self, world: World, meter: str) -> None:
        world.registry.add("meter-2")
        right = packet(meter, 1, {0: 100})
        forged = sign_packet(Packet(meter, 1, (PacketReading("consumed", at(0), 100),)), key_of("meter-2"))
        altered = SignedPacket(right.payload[:-1] + bytes([right.payload[-1] ^ 1]), right.signature)
        outcomes = await world.send(forged, altered, right)
        assert [o.reason for o in outcomes] == [PacketReason.BAD_SIGNATURE, PacketReason.BAD_SIGNATURE, None]
        assert len(world.readings()) == 1

    @pytest.mark.function("EIa")
    async def test_a_sequence_number_is_one_packet_for_ever(self, world: World, meter: str) -> None:
        await world.send(packet(meter, 7, {0: 100}))
        outcomes = await world.send(packet(meter, 7, {1: 200}), packet(meter, 6, {2: 300}))
        assert [o.reason for o in outcomes] == [PacketReason.SEQUENCE_USED, None], "late packets are welcome"
        assert set(world.readings()) == {(meter, "consumed", at(0)), (meter, "consumed", at(2))}

    async def test_a_sequence_number_used_twice_in_one_request(self, world: World, meter: str) -> None:
        outcomes = await world.send(packet(meter, 7, {0: 100}), packet(meter, 7, {0: 101}))
        assert [o.status for o in outcomes] == ["stored", "refused"] and world.conflicts() == set()

    async def test_each_refusal_is_named(self, world: World, meter: str) -> None:
        world.registry.add("by-hand", key=b"")
        now = world.clock()
        key = key_of(meter)

        def one(channel: str, end_ms: int) -> SignedPacket:
            return sign_packet(Packet(meter, 1, (PacketReading(channel, end_ms, 1),)), key)

        sent = {
            PacketReason.UNKNOWN_DEVICE: packet("nobody", 1, {0: 1}),
            PacketReason.NO_KEY: packet("by-hand", 1, {0: 1}),
            PacketReason.NO_CHANNEL: one("sold", now),
            PacketReason.IN_FUTURE: one("consumed", now + DAY_MS),
            PacketReason.TOO_OLD: one("consumed", now - 2_000 * DAY_MS),
            PacketReason.BAD_PACKET: SignedPacket(b"\x93", bytes(64)),
        }
        outcomes = await world.send(*sent.values())
        assert [o.reason for o in outcomes] == list(sent) and world.readings() == {}
        assert all(
            r.text("ja", o.params) and "?" not in r.text("en", o.params) for r, o in zip(sent, outcomes, strict=True)
        )


@pytest.mark.function("EIc")
async def test_shuffled_and_resent_packets_leave_the_same_rows(world: World, meter: str) -> None:
    packets = [packet(meter, n, {3 * n: 10 * n, 3 * n + 1: 10 * n + 5}) for n in range(40)]
    await world.send(*packets)
    whole = world.readings()
    world.registry.add("meter-2")
    twin = [packet("meter-2", n, {3 * n: 10 * n, 3 * n + 1: 10 * n + 5}) for n in range(40)]
    arrivals = twin + twin[::2]
    random.Random(4).shuffle(arrivals)
    for start in range(0, len(arrivals), 7):
        await world.send(*arrivals[start : start + 7])
    second = {key[1:]: value for key, value in world.readings().items() if key[0] == "meter-2"}
    assert second == {key[1:]: value for key, value in whole.items()}


@pytest.mark.function("EIg")
async def test_ten_thousand_readings_at_once_are_stored_in_a_moment(world: World) -> None:
    packets = []
    for n in range(200):
        world.registry.add(f"meter-{n}")
        packets.append(packet(f"meter-{n}", 1, {i: 100 * i for i in range(50)}))
    started = time.process_time()
    outcomes = await world.send(*packets)
    assert sum(o.new for o in outcomes) == 10_000 and len(world.readings()) == 10_000
    assert time.process_time() - started < 5, "one statement for each reading would take far longer"


def test_the_migration_makes_the_tables_that_the_code_has(world: World) -> None:
    found = inspect(world.database.engine)
    tables = [table for table in Base.metadata.sorted_tables if table.name.startswith("eco_")]
    for table in tables:
        if not found.has_table(table.name):
            continue
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {c.name: c.nullable for c in table.columns}, table.name
        assert {i.name for i in table.indexes} <= {i["name"] for i in found.get_indexes(table.name)}, table.name
    assert {"eco_packets", "eco_readings", "eco_batches"} <= set(found.get_table_names())
