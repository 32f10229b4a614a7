"""ECHONET Lite values of smart meters and solar plants: units, coefficient, digits, no data, times and histories."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ecopoints.devices import echonet
from apps.ecopoints.devices.echonet import JST, EchonetReason, Scale
from contracts.ecopoints.metering import MonthTotals, Reading, derive, plan_of
from contracts.ecopoints.registers import Doubt
from ledger.refusal import Refused

NOON = datetime(2026, 8, 1, 12, 0, tzinfo=JST)
NOON_MS = int(NOON.timestamp() * 1000)
HALF_HOUR_MS = 30 * 60_000


def properties(coefficient: int = 1, digits: int = 6, unit: int = 0x01) -> dict[int, bytes]:
    return {0xD3: coefficient.to_bytes(4, "big"), 0xD7: bytes([digits]), 0xE1: bytes([unit])}


def counts(value: int) -> bytes:
    return value.to_bytes(4, "big")


def refused(reason: EchonetReason) -> AbstractContextManager[pytest.ExceptionInfo[Refused]]:
    return pytest.raises(Refused, match=f"^{reason.code}:")


@pytest.mark.function("E2e", "E2c")
@pytest.mark.parametrize(
    ("unit", "watt_hours"),
    [
        (0x00, 12_345_000),
        (0x01, 1_234_500),
        (0x02, 123_450),
        (0x03, 12_345),
        (0x04, 1_234),
        (0x0A, 123_450_000),
        (0x0B, 1_234_500_000),
        (0x0C, 12_345_000_000),
        (0x0D, 123_450_000_000),
    ],
)
def test_every_unit_of_the_specification(unit: int, watt_hours: int) -> None:
    scale = echonet.scale_of(properties(unit=unit))
    assert echonet.meter_now(0xE0, counts(12_345), scale, NOON) == echonet.RegisterReading(
        "consumed", NOON_MS, watt_hours
    )


@pytest.mark.function("E2e")
def test_the_coefficient_multiplies_and_is_one_where_the_meter_has_none() -> None:
    assert echonet.meter_now(0xE3, counts(5), echonet.scale_of(properties(coefficient=20)), NOON).value == 10_000
    without = {epc: value for epc, value in properties().items() if epc != 0xD3}
    assert echonet.meter_now(0xE3, counts(5), echonet.scale_of(without), NOON).value == 500


@pytest.mark.function("E2e")
@pytest.mark.parametrize("missing", [0xD7, 0xE1])
def test_a_meter_without_digits_or_unit_is_refused_and_not_guessed(missing: int) -> None:
    given_ = {epc: value for epc, value in properties().items() if epc != missing}
    with refused(EchonetReason.NO_PROPERTY):
        echonet.scale_of(given_)


@pytest.mark.parametrize(
    "wrong", [properties(unit=0x05), properties(digits=0), properties(digits=9), properties(coefficient=0)]
)
def test_values_outside_of_the_specification_are_refused(wrong: dict[int, bytes]) -> None:
    with refused(EchonetReason.BAD_PROPERTY):
        echonet.scale_of(wrong)


@pytest.mark.function("E2e")
def test_no_data_is_none_and_not_a_number() -> None:
    scale = echonet.scale_of(properties())
    assert echonet.meter_now(0xE0, counts(0xFFFFFFFE), scale, NOON).value is None
    assert echonet.meter_now(0xE0, counts(0), scale, NOON).value == 0
    assert echonet.solar_register(0xE1, counts(0xFFFFFFFE), NOON).value is None
    assert echonet.solar_register(0xE3, counts(0xFFFFFFFF), NOON).value is None


@pytest.mark.function("E2e")
def test_a_value_of_more_digits_than_the_meter_has_is_refused() -> None:
    scale = echonet.scale_of(properties(digits=6))
    assert echonet.meter_now(0xE0, counts(999_999), scale, NOON).value == 99_999_900
    for count in (1_000_000, 0xFFFFFFFF):
        with refused(EchonetReason.OVER_DIGITS):
            echonet.meter_now(0xE0, counts(count), scale, NOON)


@pytest.mark.function("E2e")
def test_the_modulus_is_where_the_digits_are_used_up() -> None:
    scale = echonet.scale_of(properties(coefficient=1, digits=6, unit=0x01))
    last = echonet.meter_now(0xE0, counts(999_999), scale, NOON).value
    first = echonet.meter_now(0xE0, counts(2), scale, NOON).value
    assert last is not None and first is not None
    assert (first - last) % scale.modulus_wh == 300, "three counts of 0.1 kWh across the rollover"


@given(st.integers(0, 99_999_998), st.sampled_from(sorted(echonet.WH_BY_UNIT)), st.integers(1, 999_999))
def test_a_rising_register_rises_in_watt_hours_and_loses_nothing_by_flooring(
    count: int, unit: int, coefficient: int
) -> None:
    scale = Scale(coefficient, 8, echonet.WH_BY_UNIT[unit])
    before, after = (scale.watt_hours(0xE0, c) for c in (count, count + 1))
    assert before is not None and after is not None
    assert after - before >= 0
    assert 0 <= (count + 1) * coefficient * scale.unit - after < 1


@pytest.mark.function("E2e")
def test_a_fixed_time_value_has_the_meters_own_time_in_japan() -> None:
    value = (2026).to_bytes(2, "big") + bytes([8, 1, 12, 0, 0]) + counts(123)
    scale = echonet.scale_of(properties())
    assert echonet.meter_fixed(0xEA, value, scale) == echonet.RegisterReading("consumed", NOON_MS, 12_300)
    assert echonet.meter_fixed(0xEB, value, scale).channel == "sold"


@pytest.mark.parametrize("time", [bytes([13, 1, 12, 0, 0]), bytes([2, 30, 0, 0, 0]), bytes([1, 1, 24, 0, 0])])
def test_a_time_that_does_not_exist_is_refused(time: bytes) -> None:
    with refused(EchonetReason.BAD_PROPERTY):
        echonet.meter_fixed(0xEA, (2026).to_bytes(2, "big") + time + counts(1), echonet.scale_of(properties()))


@pytest.mark.function("E2e")
def test_a_days_history_is_48_values_from_midnight_on() -> None:
    """Half hours that are still to come are told as no data; each reading stands at the time that it was taken."""
    day = [counts(1000 + n) if n < 30 else counts(0xFFFFFFFE) for n in range(48)]
    scale = echonet.scale_of(properties())
    found = echonet.meter_history(0xE2, (1).to_bytes(2, "big") + b"".join(day), scale, date(2026, 8, 2), 1)
    midnight_ms = NOON_MS - 24 * HALF_HOUR_MS
    assert [r.end_ms for r in found] == [midnight_ms + n * HALF_HOUR_MS for n in range(48)]
    assert [r.value for r in found[:2]] == [100_000, 100_100]
    assert {r.value for r in found[30:]} == {None}


@pytest.mark.function("E2e")
@pytest.mark.parametrize("found", [0, 2, 0xFFFF])
def test_the_history_of_another_day_than_was_asked_for_is_refused(found: int) -> None:
    value = found.to_bytes(2, "big") + counts(1) * 48
    with refused(EchonetReason.OTHER_DAY):
        echonet.meter_history(0xE2, value, echonet.scale_of(properties()), date(2026, 8, 2), 1)


@pytest.mark.function("E2a", "E2e")
def test_a_solar_plants_registers_are_in_thousandths_of_a_kilowatt_hour() -> None:
    generated = echonet.solar_register(0xE1, counts(3_600_000), NOON)
    assert generated == echonet.RegisterReading("generated", NOON_MS, 3_600_000)
    assert echonet.solar_register(0xE3, counts(2_400_000), NOON).channel == "sold"
    assert echonet.solar_register(0xE1, counts(999_999_999), NOON).value == 999_999_999
    with refused(EchonetReason.OVER_DIGITS):
        echonet.solar_register(0xE1, counts(1_000_000_000), NOON)


def test_a_solar_plants_power() -> None:
    assert echonet.solar_power(bytes.fromhex("0bb8")) == 3000
    assert echonet.solar_power(bytes.fromhex("fffe")) is None


@pytest.mark.parametrize("length", [0, 3, 5])
def test_values_of_another_length_are_refused(length: int) -> None:
    scale = echonet.scale_of(properties())
    for decode in (
        lambda: echonet.meter_now(0xE0, bytes(length), scale, NOON),
        lambda: echonet.meter_fixed(0xEA, bytes(length), scale),
        lambda: echonet.meter_history(0xE2, bytes(length), scale, date(2026, 8, 2), 1),
        lambda: echonet.solar_register(0xE1, bytes(length), NOON),
        lambda: echonet.solar_power(bytes(length)),
    ):
        with refused(EchonetReason.BAD_LENGTH):
            decode()


def counted(raw: Sequence[int | None], scale: Scale) -> MonthTotals:
    """What a meter's half-hourly counts from 1 August on come to, through the decoder and the metering."""
    begin = datetime(2026, 8, 1, tzinfo=JST)
    readings = [
        echonet.meter_now(0xE0, counts(0xFFFFFFFE if count is None else count), scale, begin + n * echonet.HALF_HOUR)
        for n, count in enumerate(raw)
    ]
    plan = plan_of("grid", {})
    return derive(plan, "2026-08", [Reading(r.channel, r.end_ms, r.value) for r in readings])


RISING = list(range(500_000, 500_200, 2))
"""A hundred readings of a meter that counts 0.1 kWh, two counts a half hour."""


@pytest.mark.function("E2e")
def test_a_passing_zero_does_not_rebase_the_register() -> None:
    scale = echonet.scale_of(properties())
    found = counted([*RISING[:50], 0, *RISING[51:]], scale)
    assert counted(RISING, scale).totals == {"consumed": 99 * 200}
    assert found.totals == {"consumed": 97 * 200}, "the interval into the zero and the one out of it, and nothing else"


@pytest.mark.function("E2e")
def test_a_reset_counts_on_from_zero_once_enough_readings_tell_of_it() -> None:
    scale = echonet.scale_of(properties())
    after = list(range(0, 200, 2))
    found = counted([*RISING, *after], scale)
    assert found.totals["consumed"] in {(99 + 98) * 200, (99 + 99) * 200}
    assert found.totals["consumed"] < 500_000 * 100, "the former level is not counted again"


@pytest.mark.function("E2e")
def test_a_rollover_at_the_digit_count_loses_nothing() -> None:
    scale = echonet.scale_of(properties(digits=6))
    raw = [count % 1_000_000 for count in range(999_900, 1_000_100, 2)]
    assert counted(raw, scale).totals == {"consumed": 99 * 200}


@pytest.mark.function("E2e")
def test_no_data_earns_nothing_and_is_shown() -> None:
    scale = echonet.scale_of(properties())
    found = counted([*RISING[:50], None, *RISING[51:]], scale)
    assert found.totals == {"consumed": 97 * 200}
    assert [q.doubt for q in found.quarantined] == [Doubt.NO_DATA]
