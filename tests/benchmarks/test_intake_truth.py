"""The benchmark's own reckoning of what simulated devices measured agrees with the metering, lies and all."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest

from apps.ecopoints.devices.faults import HONEST, Rates
from apps.ecopoints.devices.households import KINDS
from apps.ecopoints.devices.simulator import START_MS, Simulator
from benchmarks.intake_truth import NOTHING_WRONG, MonthTruth, Reduced, months_of, wrong_by_device
from contracts.ecopoints.metering import Reading, derive, plan_of

DAYS = 40
"""Over the end of a month."""
TROUBLED = Rates(gap=200, no_data=150, late=200, duplicate=200, reset=400, lie=700)


@pytest.mark.function("EIc", "EIe")
@pytest.mark.parametrize(("seed", "rates"), [(1, HONEST), (2, Rates()), (3, TROUBLED)])
def test_truth_without_lies_is_what_the_metering_counts(seed: int, rates: Rates) -> None:
    simulator = Simulator(seed=seed, households=10, days=DAYS, kinds=KINDS, rates=rates, per_packet=48)
    readings: dict[str, list[Reading]] = defaultdict(list)
    for arrival in simulator.stream():
        readings[arrival.packet.device] += [Reading(r.channel, r.end_ms, r.value) for r in arrival.packet.readings]
    wrong = wrong_by_device(simulator.labels)
    for device in simulator.devices:
        plan = plan_of(device.kind, device.parameters)
        truth = months_of(seed, device, wrong.get(device.label, NOTHING_WRONG), START_MS, DAYS)
        for month, expected in truth.items():
            found = derive(plan, month, readings[device.label])
            counted = MonthTruth(dict(found.totals), found.covered, found.quarantined_intervals)
            assert counted == expected, (device.label, month)


@pytest.mark.function("E1d", "E2a")
def test_kilograms_are_those_of_the_worked_examples() -> None:
    """An EV of 10,000 km at 15 km/L and 6 km/kWh, and a plant of 3,600 kWh of which 2,400 are sold, in FY2024."""
    plant, car = Simulator(seed=1, households=3, days=1).devices[-2:]
    car.parameters["baseline_km_per_l_x10"] = 150  # type: ignore[index]
    power = Reduced("tepco")
    power.add(plant, "2024-06", MonthTruth({"generated": 3_600_000, "sold": 2_400_000}))
    assert power.by_year == {2024: Fraction("505.2")}
    drive = Reduced("tepco")
    drive.add(car, "2024-06", MonthTruth({"distance": 10_000_000, "charged": Fraction(10_000_000, 6)}))  # type: ignore[dict-item]
    burnt = Fraction(10_000, 15) * Fraction("33.4") * Fraction("0.0686")
    assert drive.by_year == {2024: burnt - Fraction(10_000, 6) * Fraction("0.421")}
