"""A month reckoned on, reading by reading, is what it is when derived from all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ecopoints.metering import MonthTotals, Plan, Reading, derive, months_touched, plan_of, window
from contracts.ecopoints.methodology.calendar import month_of, month_start_ms
from contracts.ecopoints.progress import Progress, advance, progress_of

START = month_start_ms("2026-06")
PLANS = {
    "pv": plan_of("pv", {"capacity_w": 4_000}),
    "grid": plan_of("grid", {}),
    "ev": plan_of("ev", {}),
}


@dataclass
class Reckoned:
    """Months as a batcher keeps them: reckoned on where that is possible, else derived from all that is there."""

    plan: Plan
    readings: list[Reading] = field(default_factory=list)
    months: dict[str, tuple[dict[str, int], int, int]] = field(default_factory=dict)
    progress: Progress | None = None
    advanced: int = 0

    def take(self, new: Sequence[Reading]) -> None:
        self.readings += new
        reached = None if self.progress is None else advance(self.plan, self.progress, new)
        if reached is not None:
            self.advanced += 1
            self.progress = reached[-1]
            self.months |= {p.month: (p.totals, p.covered, p.quarantined) for p in reached}
            return
        touched = sorted({month for reading in new for month in months_touched(self.plan, reading.end_ms)})
        derived = [derive(self.plan, month, self.readings) for month in touched]
        self.months |= {d.month: plain(d) for d in derived}
        first_ms = window(self.plan, touched[0])[0]
        latest_ms = max(r.end_ms for r in self.readings if r.end_ms >= first_ms)
        last = month_of(latest_ms - 1)
        told = [d for d in derived if d.stories and d.month <= last]
        self.progress = progress_of(told, latest_ms) if last in touched else None


def plain(derived: MonthTotals) -> tuple[dict[str, int], int, int]:
    return dict(derived.totals), derived.covered, derived.quarantined_intervals


def check(reckoned: Reckoned) -> None:
    for month, entry in reckoned.months.items():
        assert entry == plain(derive(reckoned.plan, month, reckoned.readings)), month


def climb(kind: str, count: int, first: int, chance: random.Random) -> list[list[Reading]]:
    """Interval by interval, what a device sends that now and then has a gap, a reset, a spike, no data or a lie."""
    plan = PLANS[kind]
    channels = [meter.channel for meter in plan.meters]
    values = dict.fromkeys(channels, 10**6)
    found = []
    trouble = chance.choice((0.0, 0.01, 0.05, 0.3))
    for n in range(count):
        at = START + (first + n) * plan.interval_ms
        day_slot = (first + n) % 48
        sunny = kind != "pv" or 15 <= day_slot <= 30
        for meter in plan.meters:
            values[meter.channel] += chance.randrange(max(1, meter.limit // 3)) if sunny else 0
        sent = {channel: Reading(channel, at, values[channel]) for channel in channels}
        if chance.random() < trouble:
            channel = chance.choice(channels)
            match chance.randrange(8):
                case 0:
                    continue
                case 1:
                    sent[channel] = Reading(channel, at, None)
                case 2:
                    values[channel] = 0
                    sent[channel] = Reading(channel, at, 0)
                case 3:
                    values[channel] += 10**7
                    sent[channel] = Reading(channel, at, values[channel])
                case 4:
                    sent[channel] = Reading(channel, at, max(0, values[channel] - 10**5))
                case 5:
                    del sent[channel]
                case 6:
                    sent[channel] = Reading(channel, at, values[channel], conflict=True)
                case _:
                    values[channel] += 200
                    sent[channel] = Reading(channel, at, values[channel])
        found.append(list(sent.values()))
    return found


@pytest.mark.function("EIc", "EIf")
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(PLANS)), st.integers(1, 140), st.integers(-60, 1_440), st.integers(0, 10**6))
def test_reckoning_on_gives_what_deriving_anew_gives(kind: str, count: int, first: int, seed: int) -> None:
    chance = random.Random(seed)
    reckoned = Reckoned(PLANS[kind])
    waiting: list[Reading] = []
    late: list[list[Reading]] = []
    for sent in climb(kind, count, first if kind != "ev" else first % 60, chance):
        if chance.random() < 0.03:
            late.append(sent)
            continue
        waiting += sent
        if late and chance.random() < 0.1:
            waiting += late.pop()
        if waiting and chance.random() < 0.7:
            reckoned.take(waiting)
            waiting = []
            check(reckoned)
    for sent in [*late, waiting]:
        if sent:
            reckoned.take(sent)
    check(reckoned)


@pytest.mark.function("EIf")
@pytest.mark.parametrize("kind", sorted(PLANS))
def test_a_device_that_all_is_well_with_is_hardly_ever_derived_anew(kind: str) -> None:
    plan, reckoned = PLANS[kind], Reckoned(PLANS[kind])
    for n in range(1, 200):
        at = START - 100 * plan.interval_ms + n * plan.interval_ms
        reckoned.take([Reading(meter.channel, at, 10**6) for meter in plan.meters])
    assert reckoned.advanced == 198 and len(reckoned.months) >= 2
    check(reckoned)


@pytest.mark.function("EIe", "EIb")
@pytest.mark.parametrize(
    ("value", "changes"),
    [(None, {}), (10**9, {}), (5, {}), (1_100, {"conflict": True}), (1_100, {"released": True})],
)
def test_what_may_not_be_believed_is_not_reckoned_on(value: int | None, changes: dict[str, bool]) -> None:
    plan = PLANS["grid"]
    progress = _progress(plan)
    odd = Reading("consumed", progress.last_ms + plan.interval_ms, value, **changes)
    assert advance(plan, progress, [odd]) is None
    assert advance(plan, progress, [Reading("consumed", progress.last_ms + plan.interval_ms, 1_100)]) is not None


def test_a_late_reading_and_one_between_the_intervals_are_not_reckoned_on() -> None:
    plan = PLANS["grid"]
    progress = _progress(plan)
    assert advance(plan, progress, [Reading("consumed", progress.last_ms - plan.interval_ms, 900)]) is None
    assert advance(plan, progress, [Reading("consumed", progress.last_ms + 1, 1_000)]) is None


def test_the_sun_at_night_and_more_sold_than_generated_are_not_reckoned_on() -> None:
    plan = PLANS["pv"]
    night = [Reading(c, START + n * plan.interval_ms, 1_000) for n in (2, 3) for c in ("generated", "sold")]
    progress = progress_of([derive(plan, "2026-06", night)], START + 3 * plan.interval_ms)
    assert progress is not None
    at = START + 4 * plan.interval_ms
    assert advance(plan, progress, [Reading("generated", at, 1_300), Reading("sold", at, 1_000)]) is None
    assert advance(plan, progress, [Reading("generated", at, 1_000), Reading("sold", at, 1_200)]) is None
    assert advance(plan, progress, [Reading("generated", at, 1_000)]) is None


def _progress(plan: Plan) -> Progress:
    readings = [Reading("consumed", START + n * plan.interval_ms, 900 + 10 * n) for n in range(10)]
    found = progress_of([derive(plan, "2026-06", readings)], START + 9 * plan.interval_ms)
    assert found is not None
    return found
