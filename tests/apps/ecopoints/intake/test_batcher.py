"""Batches to the chain: nothing lost, nothing doubled, whenever it is killed and however the readings arrive."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import pytest
from sqlalchemy import select

from apps.common.tables import Write
from apps.ecopoints.intake import batcher as batcher_module
from apps.ecopoints.intake.batcher import WRITE_KIND, Batcher, leaf_of, proof_of
from apps.ecopoints.intake.store import note_review
from apps.ecopoints.intake.tables import EcoBatch, EcoChanged
from contracts.ecopoints.types import MAX_BATCH_DEVICES, DeviceEntry, MonthEntry
from ledger.encoding import Value
from ledger.merkle import verify_inclusion
from ledger.refusal import Scalar
from ledger.types import Event, Transaction
from tests.apps.common.fakes import Refuse
from tests.apps.ecopoints.intake.world import MONTH, World, at, packet


@dataclass
class FakeContract:
    """`record_batch` and `record_correction` as the contract has them, in what matters here."""

    counts: dict[str, int] = field(default_factory=dict)
    months: dict[tuple[str, str], MonthEntry] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    batches: int = 0
    calls: list[str] = field(default_factory=list)

    def __call__(
        self, transaction: Transaction, arguments: Mapping[str, Value]
    ) -> Refuse | tuple[dict[str, Scalar], list[Event]]:
        method = transaction.body.method
        plain = [arguments["entry"]] if method == "record_correction" else arguments["devices"]
        entries = msgspec.convert(plain, list[DeviceEntry])
        assert 1 <= len(entries) <= MAX_BATCH_DEVICES and len(transaction.raw) < 48_000
        assert arguments["readings"] == sum(e.readings - e.before for e in entries)
        for entry in entries:
            if entry.before != self.counts.get(entry.device, 0):
                return Refuse("ecopoints.not_next")
            if any((m.month in self.closed) != (method == "record_correction") for m in entry.months):
                return Refuse("ecopoints.month_closed")
        for entry in entries:
            self.counts[entry.device] = entry.readings
            self.months |= {(entry.device, m.month): m for m in entry.months}
        self.batches += 1
        self.calls.append(method)
        return {"batch": f"batch-{self.batches}"}, []

    def total(self, device: str, month: str = MONTH) -> int:
        return self.months[device, month].totals["consumed"]


@pytest.fixture
def contract(world: World) -> FakeContract:
    world.chain.contract = fake = FakeContract()
    return fake


@pytest.fixture
def batcher(world: World) -> Batcher:
    made = Batcher(world.database, world.outbox, world.registry, world.clock)
    world.follow_ups[WRITE_KIND] = made.settle
    return made


async def drain(world: World, batcher: Batcher) -> None:
    """Until nothing is left to plan or to hand in."""
    looked = True
    while looked:
        looked = await batcher.plan_once()
        await world.settle()


@pytest.mark.function("EIf")
async def test_one_transaction_carries_hundreds_of_readings(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    devices = [world.registry.add(f"meter-{n:03d}").device for n in range(250)]
    await world.send(*(packet(device, 1, {0: 0, 1: 100 + n // 2, 2: 300}) for n, device in enumerate(devices)))
    await drain(world, batcher)
    assert contract.calls == ["record_batch"] * 2 and sum(contract.counts.values()) == 750
    assert all(contract.total(device) == 300 for device in devices)
    month = contract.months["meter-000", MONTH]
    assert (month.covered, month.expected, month.quarantined) == (2, 1_440, 0)


async def test_only_what_is_new_goes_on(world: World, batcher: Batcher, contract: FakeContract) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100}))
    await drain(world, batcher)
    await world.send(packet("meter", 1, {0: 0, 1: 100}), packet("meter", 2, {1: 100}))
    await drain(world, batcher)
    assert contract.batches == 1
    await world.send(packet("meter", 3, {2: 250}))
    await drain(world, batcher)
    assert contract.batches == 2 and contract.counts == {"meter": 3} and contract.total("meter") == 250


@pytest.mark.function("EIc")
async def test_shuffled_resent_and_late_readings_give_the_same_totals(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    chance = random.Random(7)
    values = {n: 90 * n for n in range(200) if n % 17}
    for device in ("in-order", "shuffled"):
        world.registry.add(device)
    await world.send(packet("in-order", 1, values))
    pieces = [packet("shuffled", n, {n: value}) for n, value in values.items()]
    arrivals = pieces + chance.sample(pieces, 60)
    chance.shuffle(arrivals)
    for start in range(0, len(arrivals), 40):
        await world.send(*arrivals[start : start + 40])
        await batcher.plan_once()
        if chance.random() < 0.5:
            await world.settle()
    await drain(world, batcher)
    assert contract.months["in-order", MONTH] == contract.months["shuffled", MONTH]
    assert contract.counts["in-order"] == contract.counts["shuffled"] == len(values)


@pytest.mark.function("EIb")
async def test_a_conflict_after_the_fact_takes_the_intervals_out_again(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    device = world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100, 2: 200, 3: 300}))
    await drain(world, batcher)
    await world.send(packet("meter", 2, {2: 250}))
    await drain(world, batcher)
    month = contract.months["meter", MONTH]
    assert (month.totals, month.covered, month.quarantined) == ({"consumed": 100}, 1, 1)
    world.database.write_now(lambda session: note_review(session, device, "consumed", at(2), released=True))
    await drain(world, batcher)
    assert contract.total("meter") == 300 and contract.counts == {"meter": 4}


@pytest.mark.function("EIb", "E4f")
async def test_a_conflict_and_its_release_are_not_overlooked_beside_the_next_reading(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    device = world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100, 2: 200, 3: 300}))
    await drain(world, batcher)
    await world.send(packet("meter", 2, {2: 250}), packet("meter", 3, {4: 400}))
    await drain(world, batcher)
    month = contract.months["meter", MONTH]
    assert (month.totals, month.covered, month.quarantined) == ({"consumed": 200}, 2, 1)
    world.database.write_now(lambda session: note_review(session, device, "consumed", at(2), released=True))
    await world.send(packet("meter", 4, {5: 500}))
    await drain(world, batcher)
    assert contract.total("meter") == 500 and contract.counts == {"meter": 6}


@pytest.mark.function("EIc")
async def test_a_late_reading_of_an_old_month_is_not_taken_for_where_the_device_stands(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {200: 0, 201: 100}))
    await drain(world, batcher)
    await world.send(packet("meter", 2, {-1_501: 0, -1_500: 0}))  # April
    await drain(world, batcher)
    await world.send(packet("meter", 3, {202: 200}))
    await drain(world, batcher)
    assert contract.total("meter") == 200 and contract.counts == {"meter": 5}


async def test_a_refused_batch_is_not_reckoned_on_from(world: World, batcher: Batcher, contract: FakeContract) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100}))
    contract.counts["meter"] = 7  # the chain has readings of another time: it refuses
    await drain(world, batcher)
    assert contract.batches == 0
    contract.counts.clear()
    await world.send(packet("meter", 2, {2: 200}))
    world.clock.forward(60_000)
    await drain(world, batcher)
    assert contract.total("meter") == 200 and contract.counts == {"meter": 3}


async def test_late_readings_of_a_closed_month_are_a_correction_and_open_ones_follow(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {-3: 0, -2: 10, 0: 30, 1: 40}))
    await drain(world, batcher)
    world.registry.closed = contract.closed = {"2026-05"}
    await world.send(packet("meter", 2, {-1: 20, 2: 50}))
    await drain(world, batcher)
    assert contract.calls == ["record_batch", "record_correction", "record_batch"]
    assert contract.total("meter", "2026-05") == 30 and contract.total("meter") == 20
    assert contract.counts == {"meter": 6}


async def test_a_refused_batch_is_planned_again_with_each_device_alone(
    world: World, batcher: Batcher, contract: FakeContract
) -> None:
    for device in ("closed", "open"):
        world.registry.add(device)
    contract.closed = {"2026-05"}  # the copy does not know it yet
    await world.send(packet("closed", 1, {-3: 0, -2: 10}), packet("open", 1, {1: 0, 2: 10}))
    await drain(world, batcher)
    assert contract.batches == 0
    world.clock.forward(60_000)
    await drain(world, batcher)
    assert contract.counts == {"open": 2}, "one device cannot hold up another"
    world.registry.closed = {"2026-05"}
    world.clock.forward(60_000)
    await drain(world, batcher)
    assert contract.counts == {"open": 2, "closed": 2} and contract.calls[-1] == "record_correction"


class Killed(BaseException):
    """The process dies here."""


async def test_killed_while_planning_nothing_is_half_planned(
    world: World, batcher: Batcher, contract: FakeContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100}))
    real = world.outbox.put

    def die(*args: object, **kwargs: object) -> None:
        real(*args, **kwargs)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(world.outbox, "put", die)
        await batcher.plan_once()
    left = world.database.read_now(
        lambda s: (
            s.scalars(select(EcoBatch)).all(),
            s.scalars(select(Write)).all(),
            s.scalars(select(EcoChanged)).all(),
        )
    )
    assert (len(left[0]), len(left[1]), len(left[2])) == (0, 0, 2)
    await drain(world, batcher)
    assert contract.counts == {"meter": 2} and contract.total("meter") == 100


async def test_killed_after_the_chain_took_it_the_batch_is_not_doubled(
    world: World, batcher: Batcher, contract: FakeContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.registry.add("meter")
    await world.send(packet("meter", 1, {0: 0, 1: 100}))
    await batcher.plan_once()
    world.chain.lose_answers = 2
    await world.outbox.work_once()
    await world.send(packet("meter", 2, {2: 200}))
    again = Batcher(world.database, world.outbox, world.registry, world.clock)
    await again.plan_once()
    for _ in range(4):
        world.clock.forward(60_000)
        await drain(world, again)
    assert contract.counts == {"meter": 3} and contract.batches == 2 and contract.total("meter") == 200


async def test_each_reading_can_be_proved(world: World, batcher: Batcher, contract: FakeContract) -> None:
    for device in ("a", "b", "c"):
        world.registry.add(device)
        await world.send(packet(device, 1, {0: 0, 1: 100, 2: None}))
    before = world.database.read_now(lambda session: proof_of(session, "b", "consumed", at(1)))
    await drain(world, batcher)
    proof = world.database.read_now(lambda session: proof_of(session, "b", "consumed", at(1)))
    assert before is None and proof is not None and proof.batch == "batch-1" and proof.count == 9
    assert proof.leaf == leaf_of("b", "consumed", at(1), 100)
    assert verify_inclusion(proof.root, proof.leaf, proof.index, proof.count, proof.path)
    other = leaf_of("b", "consumed", at(1), 101)
    assert not verify_inclusion(proof.root, other, proof.index, proof.count, proof.path)


async def test_batches_are_bounded_in_bytes(
    world: World, batcher: Batcher, contract: FakeContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batcher_module, "MAX_ENTRY_BYTES", 400)
    for n in range(9):
        world.registry.add(f"meter-{n}")
        await world.send(packet(f"meter-{n}", 1, {0: 0, 1: 100}))
    await drain(world, batcher)
    assert contract.batches >= 3 and sum(contract.counts.values()) == 18
