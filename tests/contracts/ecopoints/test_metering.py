"""Metering: a month's totals follow from the set of readings, and what cannot be believed earns nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ecopoints.metering import (
    HALF_HOUR_MS,
    MonthTotals,
    Plan,
    Reading,
    derive,
    months_touched,
    plan_of,
    window,
)
from contracts.ecopoints.methodology.calendar import DAY_MS, month_start_ms
from contracts.ecopoints.registers import Doubt

MONTH = "2026-06"
START = month_start_ms(MONTH)
PV = plan_of("pv", {"capacity_w": 4_000})
EV = plan_of("ev", {})
GRID = plan_of("grid", {})
NOON = 24
"""The reading at 12:00 on the first day of the month: the 24th after midnight."""


def at(number: int) -> int:
    return START + number * HALF_HOUR_MS


def grid(values: dict[int, int | None]) -> list[Reading]:
    return [Reading("consumed", at(n), value) for n, value in values.items()]


def climbing(first: int, last: int, start: int, by: int) -> dict[int, int | None]:
    return {n: start + by * (n - first) for n in range(first, last + 1)}


def doubts(result: MonthTotals) -> list[tuple[int, Doubt]]:
    return [((q.end_ms - START) // HALF_HOUR_MS, q.doubt) for q in result.quarantined]


def day(number: int) -> int:
    return START + number * DAY_MS


def drives(*values: int) -> list[Reading]:
    return [Reading("distance", day(n), value) for n, value in enumerate(values)]


class TestCoverage:
    def test_a_month_without_gaps_is_covered_whole(self) -> None:
        result = derive(GRID, MONTH, grid(climbing(0, 1_440, 5_000, 120)))
        assert (result.totals, result.covered, result.expected) == ({"consumed": 1_440 * 120}, 1_440, 1_440)
        assert result.quarantined == ()

    @pytest.mark.function("EId")
    def test_a_gap_earns_nothing(self) -> None:
        values = climbing(0, 100, 5_000, 120)
        for n in (40, 41, 42):
            del values[n]
        result = derive(GRID, MONTH, grid(values))
        assert (result.totals, result.covered) == ({"consumed": 96 * 120}, 96)

    @pytest.mark.function("EId")
    def test_an_interval_in_which_sold_power_is_unseen_does_not_count_as_used(self) -> None:
        generated = [Reading("generated", at(n), 1_000 * (n - NOON)) for n in range(NOON, NOON + 5)]
        sold = [Reading("sold", at(n), 400 * (n - NOON)) for n in (NOON, NOON + 1, NOON + 3, NOON + 4)]
        result = derive(PV, MONTH, generated + sold)
        assert (result.totals, result.covered) == ({"generated": 2_000, "sold": 800}, 2)

    def test_the_interval_that_ends_at_midnight_belongs_to_the_month_that_ends(self) -> None:
        readings = grid(climbing(-1, 1, 100, 10))
        assert derive(GRID, "2026-05", readings).totals == {"consumed": 10}
        assert derive(GRID, MONTH, readings).totals == {"consumed": 10}

    def test_no_readings_no_channels(self) -> None:
        assert derive(GRID, MONTH, []) == MonthTotals(MONTH, {}, 0, 1_440, ())


class TestDoubt:
    @pytest.mark.function("E1e")
    def test_an_odometer_that_went_back_earns_nothing_until_it_is_above_its_former_level(self) -> None:
        result = derive(EV, MONTH, drives(9_000_000, 9_040_000, 9_000_000, 9_030_000, 9_060_000, 9_080_000, 9_100_000))
        assert result.totals == {"distance": 40_000 + 20_000 + 20_000}
        assert [q.doubt for q in result.quarantined] == [Doubt.WENT_BACK, Doubt.AFTER_BACK, Doubt.BELOW_FORMER]

    @pytest.mark.function("E1e")
    def test_the_interval_after_a_spike_that_went_back_does_not_count_either(self) -> None:
        result = derive(GRID, MONTH, grid({0: 100, 1: 200, 2: 9_000_000, 3: 400, 4: 500, 5: 600}))
        assert result.totals == {"consumed": 200}
        assert doubts(result) == [(2, Doubt.OVER_CAPACITY), (3, Doubt.WENT_BACK), (4, Doubt.AFTER_BACK)]

    @pytest.mark.function("EIe")
    def test_more_than_the_device_can_deliver(self) -> None:
        readings = [Reading("generated", at(NOON + n), v) for n, v in enumerate((0, 2_000, 4_001, 5_000))]
        result = derive(PV, MONTH, readings)
        assert result.totals == {"generated": 3_000 - 1}
        assert doubts(result) == [(NOON + 2, Doubt.OVER_CAPACITY)]

    @pytest.mark.function("EIe")
    def test_a_car_does_not_drive_a_thousand_kilometres_a_day(self) -> None:
        result = derive(EV, MONTH, drives(0, 1_000_000, 2_000_001))
        assert result.totals == {"distance": 1_000_000}

    @pytest.mark.function("EIe")
    def test_the_sun_at_night(self) -> None:
        readings = [Reading("generated", at(n), 100 * (n - 40)) for n in range(40, 49)]  # from 20:00 to midnight
        readings += [Reading("generated", at(n), 800) for n in range(49, 56)]  # to 04:00
        result = derive(PV, MONTH, readings)
        assert (result.totals, result.covered) == ({"generated": 0}, 7)
        assert {q.doubt for q in result.quarantined} == {Doubt.AT_NIGHT} and result.quarantined_intervals == 8

    @pytest.mark.function("E2d")
    def test_more_sold_than_generated(self) -> None:
        generated = [Reading("generated", at(NOON + n), 500 * n) for n in range(4)]
        sold = [Reading("sold", at(NOON + n), v) for n, v in enumerate((0, 300, 1_300, 1_500))]
        result = derive(PV, MONTH, generated + sold)
        assert result.totals == {"generated": 1_000, "sold": 500}
        assert doubts(result) == [(NOON + 2, Doubt.SOLD_OVER_GENERATED)]

    @pytest.mark.function("EIb")
    def test_a_conflict_counts_neither_value(self) -> None:
        values = grid(climbing(0, 4, 0, 100))
        result = derive(GRID, MONTH, [*values, Reading("consumed", at(2), 150)])
        assert result.totals == {"consumed": 200} and doubts(result) == [(2, Doubt.CONFLICT)]

    @pytest.mark.function("E2e")
    def test_no_data_is_no_zero(self) -> None:
        values = climbing(0, 5, 70_000, 100)
        values[3] = None
        result = derive(GRID, MONTH, grid(values))
        assert result.totals == {"consumed": 300} and doubts(result) == [(3, Doubt.NO_DATA)]

    def test_a_reading_between_the_intervals_is_named(self) -> None:
        readings = [*grid(climbing(0, 2, 0, 100)), Reading("consumed", at(1) + 60_000, 120)]
        result = derive(GRID, MONTH, readings)
        assert result.totals == {"consumed": 200} and [q.doubt for q in result.quarantined] == [Doubt.OFF_GRID]


class TestRegistersBeginAnew:
    @pytest.mark.function("E2e")
    @pytest.mark.parametrize("zeros", [1, 2, 20])
    def test_a_passing_zero_does_not_rebase(self, zeros: int) -> None:
        values = climbing(0, 400, 500, 10)
        for n in range(100, 100 + zeros):
            values[n] = 0
        result = derive(GRID, MONTH, grid(values))
        assert result.totals == {"consumed": 10 * (400 - zeros - 1)}
        assert doubts(result)[0] == (100, Doubt.WENT_BACK)

    @pytest.mark.function("E2e")
    def test_a_genuine_reset_counts_once_it_has_lasted_a_day(self) -> None:
        before = climbing(0, 99, 500_000, 100)
        for last, counted in ((100 + 46, 99), (100 + 47, 99 + 46)):
            result = derive(GRID, MONTH, grid(before | climbing(100, last, 7, 100)))
            assert result.totals == {"consumed": counted * 100}

    @pytest.mark.function("E2e")
    def test_a_rollover_loses_nothing(self) -> None:
        values: dict[int, int | None] = {n: (99_999_500 + 100 * n) % 10**8 for n in range(20)}
        result = derive(GRID, MONTH, grid(values))
        assert result.totals == {"consumed": 1_900} and result.quarantined == ()

    def test_a_register_set_to_another_level_waits_for_an_officer(self) -> None:
        values = climbing(0, 99, 500_000, 100) | climbing(100, 199, 300_000, 100)
        assert derive(GRID, MONTH, grid(values)).totals == {"consumed": 9_900}
        readings = [Reading(r.channel, r.end_ms, r.value, released=r.end_ms == at(100)) for r in grid(values)]
        assert derive(GRID, MONTH, readings).totals == {"consumed": 9_900 + 9_900}


@pytest.mark.function("E4f")
@pytest.mark.parametrize("doubt", [Doubt.AT_NIGHT, Doubt.OVER_CAPACITY, Doubt.CONFLICT])
def test_what_an_officer_releases_counts(doubt: Doubt) -> None:
    amounts = {Doubt.AT_NIGHT: (44, 100), Doubt.OVER_CAPACITY: (NOON, 5_000), Doubt.CONFLICT: (NOON, 700)}
    begin, amount = amounts[doubt]
    for released in (False, True):
        readings = [
            Reading("generated", at(begin), 10),
            Reading("generated", at(begin + 1), 10 + amount, conflict=doubt is Doubt.CONFLICT, released=released),
        ]
        result = derive(PV, MONTH, readings)
        assert result.totals == {"generated": amount if released else 0}
        assert [q.doubt for q in result.quarantined] == ([] if released else [doubt])


def test_the_months_that_a_reading_touches_are_those_whose_window_holds_it() -> None:
    months = [f"{2025 + n // 12}-{n % 12 + 1:02d}" for n in range(36)]
    for plan in (PV, EV):
        for end_ms in (START, START + 1, START + 2 * DAY_MS, START + 2 * DAY_MS + 1, START + 20 * DAY_MS):
            inside = [m for m in months if window(plan, m)[0] <= end_ms <= window(plan, m)[1]]
            assert list(months_touched(plan, end_ms)) == inside


# -- arrival cannot matter ---------------------------------------------------------------------------------------------

values_of_a_register = st.one_of(st.integers(0, 3_000), st.integers(0, 10**8), st.none())


@st.composite
def histories(draw: st.DrawFn) -> tuple[Plan, list[Reading]]:
    plan, channels = draw(st.sampled_from([(PV, ("generated", "sold")), (GRID, ("consumed",))]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    readings = []
    for channel in channels:
        level = draw(st.integers(0, 5_000))
        for n in range(draw(st.integers(0, 150))):
            level += chance.choice((0, 50, 1_900))
            lie = chance.randrange(10)
            value = draw(values_of_a_register) if lie == 0 else level
            if lie != 1:
                readings.append(Reading(channel, at(n), value, released=lie == 2))
            if lie == 3:
                readings.append(Reading(channel, at(n), level + 1))
    return plan, readings


@pytest.mark.function("EIc")
@pytest.mark.function("EIb")
@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_shuffled_resent_and_late_readings_give_the_same_totals(
    history: tuple[Plan, list[Reading]], chance: random.Random
) -> None:
    plan, readings = history
    whole = derive(plan, MONTH, readings)
    arrivals = readings + [reading for reading in readings if chance.random() < 0.5]
    chance.shuffle(arrivals)
    assert derive(plan, MONTH, arrivals) == whole
    assert whole.covered + whole.quarantined_intervals <= whole.expected
    limits = {meter.channel: meter.limit for meter in plan.meters}
    if not any(r.released for r in readings):
        assert all(0 <= total <= whole.covered * limits[channel] for channel, total in whole.totals.items())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=200), st.integers(0, 10**8))
def test_without_lies_everything_counts(rises: list[int], start: int) -> None:
    level, readings = start, [Reading("consumed", at(0), start)]
    for n, rise in enumerate(rises, start=1):
        level += rise
        readings.append(Reading("consumed", at(n), level))
    result = derive(GRID, MONTH, readings)
    assert result.totals == {"consumed": sum(rises)} and result.covered == len(rises) and not result.quarantined
