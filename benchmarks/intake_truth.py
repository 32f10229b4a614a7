"""What simulated devices truly measured, month by month, reckoned without the code that is measured.

From the registers' own amounts, interval by interval, and from the simulator's labels of what went wrong. An interval
counts if both readings that bound it were sent as they were; what a lie, a gap or a reset touches is left out by the
label alone, so that a metering that believed a lie differs from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from apps.ecopoints.devices.faults import Label
from apps.ecopoints.devices.households import (
    ROLLOVER_WH,
    SLOT_MS,
    SLOTS,
    Registers,
    SimulatedDevice,
    slot_start_ms,
)
from contracts.ecopoints.methodology import LATEST_TABLE, fiscal_year_of_month, table
from contracts.ecopoints.methodology.calendar import month_of

NOT_SENT = frozenset({"gap", "no_data"})
OF_ONE_INTERVAL = frozenset({"lie:spike", "lie:night", "lie:sold"})
"""The register stays where the lie has put it: the next interval is true again."""
OF_BOTH_SIDES = frozenset({"lie:back", "reset"})
"""The reading stands lower than its neighbours: the interval before it and the one after it are wrong."""
CONFLICT = "lie:conflict"


@dataclass(slots=True)
class MonthTruth:
    totals: dict[str, int]
    covered: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Wrong:
    """The ends of a device's intervals by what became of their readings."""

    missing: frozenset[int]
    no_data: frozenset[int]
    one: frozenset[int]
    both: frozenset[int]
    conflict: frozenset[int]

    @property
    def unusable(self) -> frozenset[int]:
        """Readings from which no interval can begin or end."""
        return self.missing | self.both | self.conflict


def wrong_by_device(labels: Iterable[Label]) -> Mapping[str, Wrong]:
    """By the id under which the device is registered."""
    ends: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for label in labels:
        ends[label.device][label.kind].add(label.end_ms)
    return {device: _wrong(kinds) for device, kinds in ends.items()}


def _wrong(kinds: Mapping[str, set[int]]) -> Wrong:
    def of(names: Iterable[str]) -> frozenset[int]:
        return frozenset(end for name in names for end in kinds.get(name, ()))

    return Wrong(of(NOT_SENT), of(["no_data"]), of(OF_ONE_INTERVAL), of(OF_BOTH_SIDES), of([CONFLICT]))


NOTHING_WRONG = Wrong(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())


def months_of(seed: int, device: SimulatedDevice, wrong: Wrong, start_ms: int, days: int) -> dict[str, MonthTruth]:
    """The device's months. The first reading that can be used is where counting begins."""
    interval_ms = device.slots_per_interval * SLOT_MS
    months: dict[str, MonthTruth] = {}
    unusable = wrong.unusable
    before_is_usable = False
    for end_ms, amounts in _amounts(seed, device, start_ms, days):
        name = month_of(end_ms - 1)
        month = months.get(name)
        if month is None:
            month = months[name] = MonthTruth(dict.fromkeys(device.channels, 0))
        is_usable = end_ms not in unusable
        if is_usable and before_is_usable and end_ms not in wrong.one:
            month.covered += 1
            for channel, amount in amounts.items():
                month.totals[channel] += amount
        follows_on_low = end_ms - interval_ms in wrong.both and end_ms not in wrong.missing
        named = (wrong.no_data, wrong.one, wrong.both, wrong.conflict)
        month.quarantined += any(end_ms in ends for ends in named) or follows_on_low
        before_is_usable = is_usable
    return months


def _amounts(
    seed: int, device: SimulatedDevice, start_ms: int, days: int
) -> Iterator[tuple[int, Mapping[str, int]]]:  # fmt: skip
    """The end of each interval, and what it brought to the registers."""
    registers = Registers(seed, device)
    step = device.slots_per_interval
    for day in range(days):
        for slot in range(0, SLOTS, step):
            before = dict(registers.values)
            registers.rise(slot_start_ms(start_ms, day, slot), day, slot)
            rises = {channel: value - before[channel] for channel, value in registers.values.items()}
            yield (
                slot_start_ms(start_ms, day, slot + step),
                {channel: rise + (ROLLOVER_WH if rise < 0 else 0) for channel, rise in rises.items()},
            )


@dataclass(slots=True)
class Reduced:
    """Kilograms of CO2 by fiscal year, exact, by the formulas of the methodologies written out once more."""

    region: str
    by_year: dict[int, Fraction] = field(default_factory=dict)

    def add(self, device: SimulatedDevice, month: str, truth: MonthTruth) -> None:
        year = fiscal_year_of_month(month)
        factors = table(LATEST_TABLE).factors(year, self.region)
        grid_kg_per_kwh = factors.of("electricity").exact * 1000
        if device.kind == "pv":
            used_kwh = Fraction(truth.totals["generated"] - truth.totals["sold"], 1000)
            kilograms = used_kwh * grid_kg_per_kwh
        else:
            fuel_kg_per_l = factors.of("gasoline.heat").exact * factors.of("gasoline.co2").exact
            litres = Fraction(truth.totals["distance"], 100 * int(device.parameters["baseline_km_per_l_x10"]))
            burnt = Fraction(truth.totals.get("fuel", 0), 1000)
            kilograms = (litres - burnt) * fuel_kg_per_l - Fraction(truth.totals["charged"], 1000) * grid_kg_per_kwh
        self.by_year[year] = self.by_year.get(year, Fraction(0)) + kilograms
