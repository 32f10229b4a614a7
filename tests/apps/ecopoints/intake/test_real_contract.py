"""What the batcher writes is what the contract takes: the real contract on a chain in memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from apps.ecopoints.intake.batcher import WRITE_KIND, Batcher
from apps.ecopoints.intake.packets import Packet, PacketReading, sign_packet
from ledger.encoding import Value
from ledger.refusal import Scalar
from ledger.types import Event, Transaction
from tests.apps.ecopoints.intake.world import MONTH, World, at, key_of
from tests.contracts.ecopoints.programme import Programme


@pytest.mark.function("EIf")
async def test_the_contract_has_what_the_devices_measured(world: World) -> None:
    programme = Programme()

    def contract(transaction: Transaction, arguments: Mapping[str, Value]) -> tuple[dict[str, Scalar], list[Event]]:
        return programme.eco("gateway-h", transaction.body.method, **arguments), []

    world.chain.contract = contract
    batcher = Batcher(world.database, world.outbox, world.registry, world.clock)
    world.follow_ups[WRITE_KIND] = batcher.settle
    devices = [programme.pv(programme.join(f"member-{n}")) for n in range(3)]
    for device in devices:
        world.registry.add(device, "pv", methodology="EN-R-002", parameters={"capacity_w": 3_000})
    for late in (range(20, 30), range(30, 36)):
        for device in devices:
            readings = [PacketReading("generated", at(n), 900 * (n - 20)) for n in late]
            readings += [PacketReading("sold", at(n), 400 * (n - 20)) for n in late]
            packet = sign_packet(Packet(device, late.start, tuple(readings)), key_of(device))
            assert [o.status for o in await world.send(packet)] == ["stored"]
        while await batcher.plan_once():
            await world.outbox.work_once()
    for device in devices:
        assert programme.ask("device", device=device)["readings"] == 32
        (row,) = programme.ask("months", device=device)["rows"]
        assert row["month"] == MONTH and row["row"]["totals"] == {"generated": 15 * 900, "sold": 15 * 400}
        measured = row["row"]
        assert (measured["covered"], measured["expected"], measured["quarantined"]) == (15, 1_440, 0)
