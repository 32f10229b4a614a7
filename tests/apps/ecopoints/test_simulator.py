"""Simulated households: the same seed is the same stream, truth comes out, and every lie is quarantined."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable

import pytest

from apps.ecopoints.devices.faults import CYCLE, HONEST, Rates
from apps.ecopoints.devices.households import KINDS, METHODOLOGY, SLOT_MS
from apps.ecopoints.devices.simulator import START_MS, Arrival, Simulator
from apps.ecopoints.intake.packets import is_signed_by, open_packet
from contracts.ecopoints.metering import MonthTotals, Reading, derive, plan_of
from contracts.ecopoints.methodology import METHODOLOGIES

DAYS = 2 * CYCLE
LYING = Rates(lie=1000)
UNLUCKY = Rates(gap=200, no_data=200, reset=1000, lie=0)


def readings_by_device(arrivals: Iterable[Arrival]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = defaultdict(list)
    for arrival in arrivals:
        found[arrival.packet.device] += [Reading(r.channel, r.end_ms, r.value) for r in arrival.packet.readings]
    return found


def month_totals(simulator: Simulator, readings: dict[str, list[Reading]], month: str) -> dict[str, MonthTotals]:
    return {d.label: derive(plan_of(d.kind, d.parameters), month, readings[d.label]) for d in simulator.devices}


def test_the_same_seed_is_the_same_stream_and_another_is_another() -> None:
    def stream(seed: int) -> list[tuple[int, bytes, bytes]]:
        simulator = Simulator(seed=seed, households=3, days=3, kinds=KINDS)
        return [(a.at_ms, a.signed.payload, a.signed.signature) for a in simulator.stream()]

    assert stream(1) == stream(1)
    assert stream(1) != stream(2)


@pytest.mark.function("EIa")
def test_packets_are_signed_by_the_devices_key_and_a_sequence_number_is_one_packet() -> None:
    simulator = Simulator(seed=1, households=4, days=3, rates=LYING)
    by_number: dict[tuple[str, int], bytes] = {}
    for arrival in simulator.stream():
        received = open_packet(arrival.signed)
        assert is_signed_by(received, arrival.device.key.public_key)
        number = (received.packet.device, received.packet.sequence)
        assert by_number.setdefault(number, arrival.signed.payload) == arrival.signed.payload


def test_honest_readings_arrive_at_the_half_hours_in_the_number_that_was_asked_for() -> None:
    simulator = Simulator(seed=1, households=100, days=1, kinds=("grid",), rates=HONEST)
    arrivals = list(simulator.stream())
    assert simulator.readings == sum(len(a.packet.readings) for a in arrivals) == 100 * 48
    assert {a.at_ms for a in arrivals} == {START_MS + n * SLOT_MS for n in range(1, 49)}
    assert not simulator.labels


@pytest.mark.function("EIc")
def test_what_honest_devices_measured_is_what_was_true() -> None:
    simulator = Simulator(seed=3, households=20, days=4, kinds=KINDS, rates=HONEST, per_packet=48)
    found = month_totals(simulator, readings_by_device(simulator.stream()), "2026-04")
    for label, registers in simulator.registers.items():
        assert found[label].totals == registers.true_totals["2026-04"], label
        assert not found[label].quarantined, label


@pytest.mark.function("E2e")
def test_a_rollover_counts_as_if_there_were_none() -> None:
    simulator = Simulator(seed=3, households=20, days=4, kinds=("pv",), rates=HONEST)
    found = month_totals(simulator, readings_by_device(simulator.stream()), "2026-04")
    rolled = [label for label, registers in simulator.registers.items() if registers.rolled_over]
    assert rolled == ["h00020-pv"]
    assert found[rolled[0]].totals == simulator.registers[rolled[0]].true_totals["2026-04"]


@pytest.mark.function("E1e", "EIe", "EIb")
@pytest.mark.parametrize("seed", range(2))
def test_every_lie_is_quarantined_and_nothing_untrue_counts(seed: int) -> None:
    simulator = Simulator(seed=seed, households=30, days=DAYS, kinds=KINDS, rates=LYING)
    found = month_totals(simulator, readings_by_device(simulator.stream()), "2026-04")
    lies = [label for label in simulator.labels if label.is_lie]
    assert {lie.kind for lie in lies} == {"lie:spike", "lie:back", "lie:night", "lie:sold", "lie:conflict"}
    for lie in lies:
        assert (lie.channel, lie.end_ms) in {(q.channel, q.end_ms) for q in found[lie.device].quarantined}, lie
    for label, registers in simulator.registers.items():
        for channel, amount in found[label].totals.items():
            assert amount <= registers.true_totals["2026-04"][channel], (label, channel)


@pytest.mark.function("E2e", "EId")
def test_a_reset_goes_on_counting_and_gaps_and_no_data_earn_nothing() -> None:
    simulator = Simulator(seed=5, households=20, days=DAYS, kinds=("pv",), rates=UNLUCKY)
    found = month_totals(simulator, readings_by_device(simulator.stream()), "2026-04")
    kinds = {label.kind for label in simulator.labels}
    assert {"reset", "gap", "no_data", "late", "duplicate"} <= kinds
    for label, registers in simulator.registers.items():
        missed = {x.end_ms for x in simulator.labels if x.device == label and x.kind in ("gap", "no_data", "reset")}
        covered = DAYS * 48 - 1 - len(missed | {at + SLOT_MS for at in missed})
        assert covered <= found[label].covered <= DAYS * 48 - 1 - len(missed)
        assert found[label].totals["generated"] <= registers.true_totals["2026-04"]["generated"]


@pytest.mark.function("EIc")
def test_packets_come_late_and_out_of_order() -> None:
    simulator = Simulator(seed=1, households=30, days=6)
    arrivals = list(simulator.stream())
    assert [a.at_ms for a in arrivals] == sorted(a.at_ms for a in arrivals)
    sequences: dict[str, list[int]] = defaultdict(list)
    for arrival in arrivals:
        sequences[arrival.packet.device].append(arrival.packet.sequence)
    assert any(b < a for s in sequences.values() for a, b in itertools.pairwise(s))


def test_devices_are_registered_as_their_methodology_asks() -> None:
    simulator = Simulator(seed=1, households=30, days=1, kinds=KINDS)
    for device in simulator.devices:
        if METHODOLOGY[device.kind]:
            METHODOLOGIES[device.methodology].check_parameters(device.parameters, device.kind)
            known = {c.name for c in METHODOLOGIES[device.methodology].channels}
            assert set(device.channels) <= known
    assert len({d.serial for d in simulator.devices}) == len({d.place for d in simulator.devices}) == len(
        {d.key.public_key for d in simulator.devices}
    ) == len(simulator.devices)  # fmt: skip


def test_the_ids_of_the_chain_stand_in_the_packets() -> None:
    simulator = Simulator(seed=1, households=1, days=1, kinds=("grid",), ids={"h00001-grid": "device-7"})
    assert {a.packet.device for a in simulator.stream()} == {"device-7"}
