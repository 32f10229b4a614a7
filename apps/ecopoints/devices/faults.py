"""What goes wrong with simulated devices, day by day: gaps, no data, resets, late and doubled packets, and lies.

Every lie is labelled with the reading that it falsifies, and stands where nothing else hides it: no gap, no missing
value and no reset is near, so that a reader that lets one of them count has believed it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from apps.ecopoints.devices.households import SLOTS, SimulatedDevice

Lie = Literal["spike", "back", "night", "sold", "conflict"]
LIES_OF: dict[str, tuple[Lie, ...]] = {
    "pv": ("spike", "back", "night", "sold", "conflict"),
    "grid": ("spike", "back", "conflict"),
    "ev": ("spike", "back", "conflict"),
    "phv": ("spike", "back", "conflict"),
}
CYCLE = 8
"""Days after which a device's turn to lie comes again; its turn to be reset lies half a cycle away."""
QUIET_DAYS = 3
"""No reset in the last days: it takes so many readings to believe one."""
NIGHT_SLOTS = (3, 6)
"""Half hours that end between 02:00 and 03:00: dark everywhere in Japan."""
LIE_SLOTS = (3, 40)


@dataclass(frozen=True, slots=True)
class Rates:
    """Thousandths of a device's days on which it happens (lies and resets: of the days on which it may)."""

    gap: int = 80
    no_data: int = 40
    late: int = 60
    duplicate: int = 60
    reset: int = 60
    lie: int = 250


HONEST = Rates(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Label:
    """Something that went wrong: `kind` is `lie:spike`, `gap`, `reset` …; of the reading at `end_ms`."""

    kind: str
    device: str
    channel: str
    end_ms: int

    @property
    def is_lie(self) -> bool:
        return self.kind.startswith("lie:")


@dataclass(slots=True)
class DayPlan:
    """One device's day. Slots are half hours of the day; a car has one, slot 0."""

    gaps: frozenset[int] = frozenset()
    no_data: frozenset[int] = frozenset()
    reset_at: int | None = None
    lie: Lie | None = None
    lie_at: int | None = None
    late_slots: int = 0
    duplicate: bool = False
    noise: random.Random = field(default_factory=lambda: random.Random(0))


def plan_day(seed: int, device: SimulatedDevice, day: int, days: int, rates: Rates) -> DayPlan:
    chance = random.Random(f"{seed}/{device.label}/{day}/faults")
    half_hourly = device.slots_per_interval == 1
    slots = range(SLOTS) if half_hourly else range(1)
    plan = DayPlan(noise=chance)
    turn = (day + device.household) % CYCLE
    if _happens(chance, rates.late):
        plan.late_slots = chance.randrange(1, 2 * SLOTS)
    plan.duplicate = _happens(chance, rates.duplicate)
    if turn == 0 and 0 < day < days - 1:
        if _happens(chance, rates.lie):
            _lie(plan, chance, device, half_hourly)
    elif half_hourly and turn == CYCLE // 2 and day > 1 and day < days - QUIET_DAYS:
        if _happens(chance, rates.reset):
            plan.reset_at = chance.randrange(LIE_SLOTS[0], LIE_SLOTS[1])
    elif turn not in (1, CYCLE - 1):
        plan.gaps = _some(chance, slots, rates.gap)
        plan.no_data = _some(chance, slots, rates.no_data) - plan.gaps
    return plan


def _lie(plan: DayPlan, chance: random.Random, device: SimulatedDevice, half_hourly: bool) -> None:
    plan.lie = chance.choice(LIES_OF[device.kind])
    first, last = NIGHT_SLOTS if plan.lie in ("night", "sold") else LIE_SLOTS
    plan.lie_at = chance.randrange(first, last) if half_hourly else 0


def _happens(chance: random.Random, permille: int) -> bool:
    return chance.randrange(1000) < permille


def _some(chance: random.Random, slots: Sequence[int], permille: int) -> frozenset[int]:
    if not _happens(chance, permille):
        return frozenset()
    begin = chance.choice(slots)
    return frozenset(range(begin, min(len(slots), begin + chance.randrange(1, 4))))
