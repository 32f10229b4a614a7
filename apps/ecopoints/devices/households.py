"""Simulated households: solar plants, cars and meters whose registers rise as real ones do. Deterministic by seed.

Rough figures of a Tokyo household, good enough to look real and to stay within what devices can do: a plant of 3 to
6 kW, a load of about 10 kWh a day with a morning and an evening peak, a car that drives 0 to 80 km a day at 6 km/kWh.
Whole numbers throughout, so that a seed means the same on every machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.ecopoints.methodology.calendar import DAY_MS, month_of
from ledger.crypto import SigningKey

Kind = Literal["pv", "ev", "phv", "grid"]
KINDS: tuple[Kind, ...] = ("pv", "ev", "phv", "grid")
METHODOLOGY: Mapping[Kind, str] = {"pv": "EN-R-002", "ev": "EN-S-012", "phv": "EN-S-012", "grid": ""}
CHANNELS: Mapping[Kind, tuple[str, ...]] = {
    "pv": ("generated", "sold"),
    "ev": ("distance", "charged"),
    "phv": ("distance", "charged", "fuel"),
    "grid": ("consumed",),
}
EVERY: Mapping[Kind, int] = {"pv": 1, "ev": 3, "phv": 10, "grid": 1}
"""Which households have one: each, each third …"""

SLOT_MS = 30 * 60_000
SLOTS = DAY_MS // SLOT_MS
ROLLOVER_WH = 10**9
"""A plant's register has nine digits of 0.001 kWh (ECHONET Lite 0x0279)."""

DAYLIGHT: Sequence[tuple[int, int]] = (
    (14, 33), (14, 35), (12, 36), (11, 37), (10, 38), (9, 39),
    (10, 38), (11, 37), (11, 35), (12, 34), (13, 33), (14, 33),
)  # fmt: skip
"""The first and the last half hour of each month's day in which the sun is up in Tokyo."""
LOAD_WH: Sequence[int] = (
    *(90,) * 10, 110, 160, 230, 280, 290, 260, 210, 180, 170, 170, 170, 180, 200, 220, 220, 200, 180, 170,
    170, 180, 190, 210, 240, 290, 340, 390, 420, 440, 440, 420, 390, 360, 320, 270, 220, 170, 130, 110,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One device of a household, as it would be registered."""

    label: str
    household: int
    kind: Kind
    parameters: Mapping[str, int | str]
    serial: str
    place: str
    key: SigningKey

    @property
    def methodology(self) -> str:
        return METHODOLOGY[self.kind]

    @property
    def channels(self) -> tuple[str, ...]:
        return CHANNELS[self.kind]

    @property
    def slots_per_interval(self) -> int:
        """Cars are read once a day, everything else every half hour."""
        return SLOTS if self.kind in ("ev", "phv") else 1


def devices_of(seed: int, households: int, kinds: Sequence[Kind]) -> Iterator[SimulatedDevice]:
    for number in range(1, households + 1):
        for kind in kinds:
            if number % EVERY[kind] == 0:
                yield _device(seed, number, kind)


def _device(seed: int, number: int, kind: Kind) -> SimulatedDevice:
    label = f"h{number:05d}-{kind}"
    chance = random.Random(f"{seed}/{label}/parameters")
    parameters: dict[str, int | str] = {}
    if kind == "pv":
        parameters["capacity_w"] = chance.randrange(3000, 6001, 500)
    elif kind in ("ev", "phv"):
        parameters |= {"baseline_km_per_l_x10": chance.randrange(120, 221, 10), "km_per_kwh_x10": 60}
        if kind == "phv":
            parameters["fuel"] = "gasoline"
    secret = hashlib.sha256(f"daicho/simulated-device/{seed}/{label}".encode()).digest()
    return SimulatedDevice(
        label, number, kind, parameters, f"S{seed}-{number:05d}-{kind}", f"P{seed}-{number:05d}-{kind}",
        SigningKey(secret),
    )  # fmt: skip


@dataclass(slots=True)
class Registers:
    """The registers of one device as they truly rise, and what each month truly brought.

    The first reading is where counting begins, so that the first interval is in no total.
    """

    seed: int
    device: SimulatedDevice
    values: dict[str, int] = field(default_factory=dict)
    true_totals: dict[str, dict[str, int]] = field(default_factory=dict)
    rolled_over: bool = False
    _begun: bool = False
    _day: int = -1
    _sun_permille: int = 0
    _load_permille: int = 0
    _trip_m: int = 0

    def __post_init__(self) -> None:
        chance = random.Random(f"{self.seed}/{self.device.label}/registers")
        self.values = {channel: chance.randrange(1_000_000, 50_000_000) for channel in self.device.channels}
        if self.device.kind == "pv" and self.device.household % 20 == 0:
            self.values["generated"] = ROLLOVER_WH - chance.randrange(1_000, 20_000)

    def rise(self, start_ms: int, day: int, slot: int) -> None:
        """One interval, which begins at `start_ms`: half hour `slot` of `day`, or the whole day for a car."""
        if day != self._day:
            self._begin_day(day)
        month = month_of(start_ms)
        amounts = self._amounts(month, slot)
        totals = self.true_totals.setdefault(month, dict.fromkeys(self.device.channels, 0))
        counted, self._begun = self._begun, True
        for channel, amount in amounts.items():
            totals[channel] += amount if counted else 0
            self.values[channel] += amount
            if self.device.kind == "pv" and self.values[channel] >= ROLLOVER_WH:
                self.values[channel] -= ROLLOVER_WH
                self.rolled_over = True

    def _begin_day(self, day: int) -> None:
        chance = random.Random(f"{self.seed}/{self.device.household}/{day}")
        self._day = day
        self._sun_permille = chance.randrange(150, 850)
        self._load_permille = chance.randrange(700, 1300)
        self._trip_m = chance.choice((0, 5_000, 12_000, 20_000, 35_000, 80_000)) + chance.randrange(1000)

    def _amounts(self, month: str, slot: int) -> dict[str, int]:
        load = LOAD_WH[slot] * self._load_permille // 1000
        match self.device.kind:
            case "pv":
                generated = self._sunshine(month, slot)
                return {"generated": generated, "sold": max(0, generated - load)}
            case "grid":
                return {"consumed": load}
            case "ev":
                return {"distance": self._trip_m, "charged": self._trip_m // 6}
            case "phv":
                electric = min(self._trip_m, 40_000)
                return {"distance": self._trip_m, "charged": electric // 6, "fuel": (self._trip_m - electric) // 20}

    def _sunshine(self, month: str, slot: int) -> int:
        """A parabola from sunrise to sunset, under the day's clouds. Watt-hours of the half hour."""
        first, last = DAYLIGHT[int(month[5:]) - 1]
        if not first <= slot <= last:
            return 0
        length = last - first + 2
        at = slot - first + 1
        capacity = self.device.parameters["capacity_w"]
        peak = int(capacity) * self._sun_permille // 2000
        return peak * 4 * at * (length - at) // (length * length)


def slot_start_ms(first_day_ms: int, day: int, slot: int) -> int:
    return first_day_ms + day * DAY_MS + slot * SLOT_MS
