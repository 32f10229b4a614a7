"""ECHONET Lite property values of smart meters (0x0288) and household solar plants (0x0279) as register readings.

Facts from "APPENDIX: Detailed Requirements for ECHONET Device Objects" (ECHONET Consortium, Release R; classes
低圧スマート電力量メータ 0x0288 and 住宅用太陽光発電 0x0279), compared with open decoders (node-wisunrb, pychonet):

| class | EPC | what | bytes |
|---|---|---|---|
| 0x0288 | 0xD3 | coefficient by which cumulative values are multiplied; absent: 1 | 4 |
| 0x0288 | 0xD7 | digits in use, 1 to 8: the register begins again at zero after them | 1 |
| 0x0288 | 0xE1 | unit: 0x00 1 kWh, 0x01–0x04 0.1 to 0.0001 kWh, 0x0A–0x0D 10 to 10,000 kWh | 1 |
| 0x0288 | 0xE0, 0xE3 | cumulative now, normal and reverse direction; 0xFFFFFFFE: no data | 4 |
| 0x0288 | 0xE5 | day of the history to be read: 0 today, 1 yesterday … 99 | 1 |
| 0x0288 | 0xE2, 0xE4 | that day's history, normal and reverse: day, then 48 values, 00:00 first | 2 + 48 × 4 |
| 0x0288 | 0xEA, 0xEB | the last fixed-time value: year, month, day, hour, minute, second, value | 7 + 4 |
| 0x0279 | 0xE0 | power now, W | 2 |
| 0x0279 | 0xE1, 0xE3 | cumulative generated and sold, 0.001 kWh, 0 to 999,999,999 | 4 |

A reading's value is the register's, in whole watt-hours, or None where the device said that it has no data; a blank is
not a zero. Whether a register that fell was reset, rolled over, or passed through zero cannot be told from one value:
`contracts.ecopoints.registers` tells it from all of them, so nothing is ever rebased here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

from ledger.refusal import Reason, Refused, Text

JST = timezone(timedelta(hours=9))
HALF_HOUR = timedelta(minutes=30)
SLOTS = 48

SMART_METER, SOLAR_PLANT = 0x0288, 0x0279
COEFFICIENT, DIGITS, UNIT = 0xD3, 0xD7, 0xE1
NOW_NORMAL, NOW_REVERSE = 0xE0, 0xE3
HISTORY_NORMAL, HISTORY_REVERSE, HISTORY_DAY = 0xE2, 0xE4, 0xE5
FIXED_NORMAL, FIXED_REVERSE = 0xEA, 0xEB
SOLAR_POWER, SOLAR_GENERATED, SOLAR_SOLD = 0xE0, 0xE1, 0xE3

NO_DATA = 0xFFFFFFFE
OVERFLOW = 0xFFFFFFFF
"""The general codes of 4-byte unsigned values: under- and overflow. A meter uses the first for "not measured"."""
NO_POWER = (0xFFFE, 0xFFFF)
MAX_COEFFICIENT = 999_999
MAX_DAY = 99
MAX_SOLAR = 999_999_999

WH_BY_UNIT: Mapping[int, Fraction] = {
    0x00: Fraction(1000),
    0x01: Fraction(100),
    0x02: Fraction(10),
    0x03: Fraction(1),
    0x04: Fraction(1, 10),
    0x0A: Fraction(10_000),
    0x0B: Fraction(100_000),
    0x0C: Fraction(1_000_000),
    0x0D: Fraction(10_000_000),
}
"""Watt-hours of one count, by the value of 0xE1."""


class EchonetReason(Reason):
    BAD_LENGTH = Text(
        "EPC 0x{epc} の長さが {length} バイトです(正しくは {expected})",
        "EPC 0x{epc} has {length} bytes, and not {expected}",
    )
    NO_PROPERTY = Text("EPC 0x{epc} がありません", "EPC 0x{epc} is missing")
    BAD_PROPERTY = Text("EPC 0x{epc} の値 {value} は規格にありません", "EPC 0x{epc} cannot have the value {value}")
    OVER_DIGITS = Text(
        "EPC 0x{epc} の値 {value} が有効桁数 {digits} を超えています",
        "the value {value} of EPC 0x{epc} has more than the meter's {digits} digits",
    )
    OTHER_DAY = Text(
        "履歴の収集日 {found} が要求した {asked} と異なります",
        "the history is that of day {found}, and day {asked} was asked for",
    )


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """What a register showed at `end_ms`; `value` in watt-hours, None: the device has no data for that time."""

    channel: str
    end_ms: int
    value: int | None


CHANNELS: Mapping[tuple[int, int], str] = {
    (SMART_METER, NOW_NORMAL): "consumed",
    (SMART_METER, NOW_REVERSE): "sold",
    (SMART_METER, HISTORY_NORMAL): "consumed",
    (SMART_METER, HISTORY_REVERSE): "sold",
    (SMART_METER, FIXED_NORMAL): "consumed",
    (SMART_METER, FIXED_REVERSE): "sold",
    (SOLAR_PLANT, SOLAR_GENERATED): "generated",
    (SOLAR_PLANT, SOLAR_SOLD): "sold",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How a meter's counts become watt-hours, read once from its 0xD3, 0xD7 and 0xE1."""

    coefficient: int
    digits: int
    unit: Fraction

    @property
    def modulus_wh(self) -> Fraction:
        """Where the register begins again at zero."""
        counts: int = 10**self.digits
        return counts * self.coefficient * self.unit

    def watt_hours(self, epc: int, count: int) -> int | None:
        """Whole watt-hours, floored: of a rising register, so that what is cut off comes with the next reading."""
        if count == NO_DATA:
            return None
        if count >= 10**self.digits:
            raise Refused(EchonetReason.OVER_DIGITS, epc=f"{epc:02X}", value=count, digits=self.digits)
        return int(count * self.coefficient * self.unit // 1)


def scale_of(properties: Mapping[int, bytes]) -> Scale:
    """The meter's scale. Refused without digits and unit: a guess would be wrong by powers of ten."""
    coefficient = _number(properties, COEFFICIENT, 4) if COEFFICIENT in properties else 1
    digits = _number(properties, DIGITS, 1)
    unit = _number(properties, UNIT, 1)
    if not 1 <= coefficient <= MAX_COEFFICIENT:
        raise Refused(EchonetReason.BAD_PROPERTY, epc="D3", value=coefficient)
    if not 1 <= digits <= 8:
        raise Refused(EchonetReason.BAD_PROPERTY, epc="D7", value=digits)
    if unit not in WH_BY_UNIT:
        raise Refused(EchonetReason.BAD_PROPERTY, epc="E1", value=unit)
    return Scale(coefficient, digits, WH_BY_UNIT[unit])


def meter_now(epc: int, value: bytes, scale: Scale, at: datetime) -> RegisterReading:
    """0xE0 or 0xE3: the register as read at `at` (with a time zone)."""
    count = int.from_bytes(_sized(epc, value, 4), "big")
    return RegisterReading(CHANNELS[SMART_METER, epc], _ms(at), scale.watt_hours(epc, count))


def meter_fixed(epc: int, value: bytes, scale: Scale) -> RegisterReading:
    """0xEA or 0xEB: the last value at :00 or :30, with the meter's own time (Japan's)."""
    _sized(epc, value, 11)
    year = int.from_bytes(value[:2], "big")
    month, day, hour, minute, second = value[2:7]
    try:
        at = datetime(year, month, day, hour, minute, second, tzinfo=JST)
    except ValueError:
        raise Refused(EchonetReason.BAD_PROPERTY, epc=f"{epc:02X}", value=value[:7].hex()) from None
    count = int.from_bytes(value[7:], "big")
    return RegisterReading(CHANNELS[SMART_METER, epc], _ms(at), scale.watt_hours(epc, count))


def meter_history(epc: int, value: bytes, scale: Scale, today: date, days_ago: int) -> tuple[RegisterReading, ...]:
    """0xE2 or 0xE4: the 48 half-hourly values of the day `days_ago` (0xE5) before the meter's `today`.

    Refused if the history is that of another day than was asked for: the meter answers with the day that was set last.
    Half hours that are yet to come are "no data", and stay None.
    """
    _sized(epc, value, 2 + SLOTS * 4)
    found = int.from_bytes(value[:2], "big")
    if found != days_ago or not 0 <= days_ago <= MAX_DAY:
        raise Refused(EchonetReason.OTHER_DAY, found=found, asked=days_ago)
    midnight = datetime(today.year, today.month, today.day, tzinfo=JST) - timedelta(days=days_ago)
    counts = (int.from_bytes(value[2 + 4 * n : 6 + 4 * n], "big") for n in range(SLOTS))
    channel = CHANNELS[SMART_METER, epc]
    return tuple(
        RegisterReading(channel, _ms(midnight + n * HALF_HOUR), scale.watt_hours(epc, count))
        for n, count in enumerate(counts)
    )


def solar_register(epc: int, value: bytes, at: datetime) -> RegisterReading:
    """0xE1 or 0xE3 of a solar plant: 0.001 kWh is a watt-hour. Its nine digits are used up at 1,000,000 kWh."""
    count = int.from_bytes(_sized(epc, value, 4), "big")
    if count > MAX_SOLAR and count not in (NO_DATA, OVERFLOW):
        raise Refused(EchonetReason.OVER_DIGITS, epc=f"{epc:02X}", value=count, digits=9)
    return RegisterReading(CHANNELS[SOLAR_PLANT, epc], _ms(at), None if count > MAX_SOLAR else count)


def solar_power(value: bytes) -> int | None:
    """0xE0 of a solar plant: watts at this moment, for display; None for under- and overflow."""
    watts = int.from_bytes(_sized(SOLAR_POWER, value, 2), "big")
    return None if watts in NO_POWER else watts


def _number(properties: Mapping[int, bytes], epc: int, length: int) -> int:
    if epc not in properties:
        raise Refused(EchonetReason.NO_PROPERTY, epc=f"{epc:02X}")
    return int.from_bytes(_sized(epc, properties[epc], length), "big")


def _sized(epc: int, value: bytes, length: int) -> bytes:
    if len(value) != length:
        raise Refused(EchonetReason.BAD_LENGTH, epc=f"{epc:02X}", length=len(value), expected=length)
    return value


def _ms(at: datetime) -> int:
    return round(at.timestamp()) * 1000
