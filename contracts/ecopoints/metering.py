"""What a device measured in a month, derived from the set of its readings and from nothing else.

The order in which readings arrive, how late, and how often the same one comes cannot matter, since the function does
not see it. An interval counts when every channel that the device reports in that month measured it and none of them is
in doubt; everything else earns nothing. Energy in watt-hours, distance in metres, fuel in millilitres; integers only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from contracts.ecopoints.methodology.calendar import DAY_MS, JST_MS, month_of, month_start_ms, next_month
from contracts.ecopoints.registers import Doubt, Interval, Meter, Point, Story, intervals, story_of

HOUR_MS = 60 * 60_000
HALF_HOUR_MS = HOUR_MS // 2

NIGHT_BEGINS_MS = 20 * HOUR_MS
NIGHT_ENDS_MS = 3 * HOUR_MS + HALF_HOUR_MS
"""Japan's earliest sunrise is about 03:37 (Nemuro, June), its latest sunset about 19:40 (Yonaguni, July): between these
two times of day the sun is down everywhere in the country, on every day of the year."""
RESOLUTION_WH = 100
"""The two registers of a plant tick at different moments, by 0.1 kWh at the coarsest (ECHONET Lite 0x0288, 0xE1)."""

DAILY_DISTANCE_M = 1_000_000
DAILY_CHARGE_WH = 400_000
DAILY_FUEL_ML = 150_000
GRID_W = 50_000
"""Below 50 kW a customer is supplied at low voltage (低圧): no household's meter shows more."""
DEFAULT_CAPACITY_W = 50_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A channel's value at the end of an interval; `value` None: the device said that it has no data.

    `conflict`: another value arrived for the same channel and time. `released`: an officer lets it count.
    """

    channel: str
    end_ms: int
    value: int | None
    conflict: bool = False
    released: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How a device is read: its interval, its meters, and how much history decides whether a register is believed."""

    interval_ms: int
    meters: tuple[Meter, ...]
    settled: int
    """That many readings in a row make a register that began again near zero a genuine reset."""
    before_ms: int
    after_ms: int
    """The readings from `before_ms` before a month to `after_ms` after it decide what the month counts."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An interval of a channel that does not count, unless an officer releases it, with what it would have brought."""

    channel: str
    end_ms: int
    doubt: Doubt
    amount: int | None


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """A device's month: `covered` of `expected` intervals count."""

    month: str
    totals: Mapping[str, int]
    covered: int
    expected: int
    quarantined: tuple[Quarantined, ...]
    stories: Mapping[str, Story] = field(default_factory=dict, repr=False, compare=False)
    """Of the channels reported in the month: how their registers were read (`contracts.ecopoints.progress`)."""

    @property
    def quarantined_intervals(self) -> int:
        return len({q.end_ms for q in self.quarantined})


def plan_of(kind: str, parameters: Mapping[str, int | str]) -> Plan:
    """The plan of a device of `kind` (ev, phv, pv, generator, grid), by what its registration says of it."""
    capacity = parameters.get("capacity_w", DEFAULT_CAPACITY_W)
    watts = capacity if isinstance(capacity, int) else DEFAULT_CAPACITY_W
    half_hour = watts * HALF_HOUR_MS // HOUR_MS
    match kind:
        case "ev" | "phv":
            meters = [Meter("distance", DAILY_DISTANCE_M), Meter("charged", DAILY_CHARGE_WH)]
            meters += [Meter("fuel", DAILY_FUEL_ML)] if kind == "phv" else []
            return Plan(DAY_MS, tuple(meters), settled=7, before_ms=400 * DAY_MS, after_ms=31 * DAY_MS)
        case "pv":
            meters = [Meter("generated", half_hour, rolls_over=True, daylight=True)]
            meters += [Meter("sold", half_hour + RESOLUTION_WH, rolls_over=True)]
        case "generator":
            # 0.3 mL of fuel for a watt-hour: 10 kWh in a litre of fuel at an efficiency of a third.
            meters = [Meter("delivered", half_hour, rolls_over=True), Meter("fuel", half_hour)]
        case _:
            meters = [Meter("consumed", GRID_W * HALF_HOUR_MS // HOUR_MS, rolls_over=True)]
    return Plan(HALF_HOUR_MS, tuple(meters), settled=48, before_ms=8 * DAY_MS, after_ms=2 * DAY_MS)


def derive(plan: Plan, month: str, readings: Iterable[Reading]) -> MonthTotals:
    """What `month` counts, given the device's readings (those outside of `window(plan, month)` do not matter)."""
    first_ms, last_ms = month_start_ms(month), month_start_ms(next_month(month))
    begin_ms, end_ms = window(plan, month)
    by_channel: dict[str, dict[int, Reading]] = {}
    for reading in readings:
        if begin_ms <= reading.end_ms <= end_ms:
            points = by_channel.setdefault(reading.channel, {})
            points[reading.end_ms] = _merged(points.get(reading.end_ms), reading)
    measured: dict[str, dict[int, int]] = {}
    stories: dict[str, Story] = {}
    doubts: list[Quarantined] = []
    for meter in plan.meters:
        points = by_channel.get(meter.channel, {})
        if any(first_ms < at <= last_ms for at in points):
            stories[meter.channel] = story = _story(plan, meter, points)
            judged = list(_judged(plan, meter, story, points, first_ms, last_ms))
            measured[meter.channel] = {i.end_ms: i.amount for i in judged if i.doubt is None}
            doubts += [Quarantined(meter.channel, i.end_ms, i.doubt, i.amount) for i in judged if i.doubt is not None]
            doubts += _unusable(plan, meter, points)
    doubts += _sold_over_generated(measured, by_channel)
    counted = _counted(measured, first_ms, last_ms)
    return MonthTotals(
        month,
        {channel: sum(amounts[at] for at in counted) for channel, amounts in measured.items()},
        len(counted),
        (last_ms - first_ms) // plan.interval_ms,
        tuple(sorted((q for q in doubts if first_ms < q.end_ms <= last_ms), key=lambda q: (q.end_ms, q.channel))),
        stories,
    )


def _merged(known: Reading | None, reading: Reading) -> Reading:
    """Two arrivals for the same channel and time: the same again is nothing, another value is a conflict."""
    if known is None:
        return reading
    conflict = known.conflict or reading.conflict or known.value != reading.value
    value = min(known.value, reading.value) if known.value is not None and reading.value is not None else None
    return replace(known, value=value, conflict=conflict, released=known.released or reading.released)


def _is_usable(plan: Plan, reading: Reading) -> bool:
    is_one_value = reading.value is not None and (not reading.conflict or reading.released)
    return is_one_value and (reading.end_ms + JST_MS) % plan.interval_ms == 0


def _unusable(plan: Plan, meter: Meter, readings: Mapping[int, Reading]) -> Iterator[Quarantined]:
    for reading in readings.values():
        if not _is_usable(plan, reading):
            on_grid = (reading.end_ms + JST_MS) % plan.interval_ms == 0
            unresolved = reading.conflict and not reading.released
            doubt = Doubt.OFF_GRID if not on_grid else Doubt.CONFLICT if unresolved else Doubt.NO_DATA
            yield Quarantined(meter.channel, reading.end_ms, doubt, None)


def _story(plan: Plan, meter: Meter, readings: Mapping[int, Reading]) -> Story:
    points = [
        Point(at, reading.value, reading.released)
        for at, reading in sorted(readings.items())
        if reading.value is not None and _is_usable(plan, reading)
    ]
    return story_of(points, meter, plan.interval_ms, plan.settled)


def _judged(
    plan: Plan, meter: Meter, story: Story, readings: Mapping[int, Reading], first_ms: int, last_ms: int
) -> Iterator[Interval]:
    for interval in intervals(story, meter, plan.interval_ms, first_ms, last_ms):
        is_dark = meter.daylight and interval.amount > 0 and is_night(interval.end_ms, plan.interval_ms)
        if is_dark and interval.doubt is None and not readings[interval.end_ms].released:
            yield interval._replace(doubt=Doubt.AT_NIGHT)
        else:
            yield interval


def is_night(end_ms: int, interval_ms: int) -> bool:
    """Whether the whole interval lies in the hours in which the sun is down everywhere in Japan."""
    begins = (end_ms - interval_ms + JST_MS) % DAY_MS
    return begins >= NIGHT_BEGINS_MS or begins + interval_ms <= NIGHT_ENDS_MS


def _sold_over_generated(
    measured: dict[str, dict[int, int]], readings: Mapping[str, Mapping[int, Reading]]
) -> list[Quarantined]:
    """E2d: nobody sells more than the plant generates. What is found is taken out of `measured`."""
    generated, sold = measured.get("generated", {}), measured.get("sold", {})
    wrong = [
        Quarantined("sold", at, Doubt.SOLD_OVER_GENERATED, amount)
        for at, amount in sold.items()
        if at in generated and amount > generated[at] + RESOLUTION_WH and not readings["sold"][at].released
    ]
    for doubt in wrong:
        del sold[doubt.end_ms]
    return wrong


def _counted(measured: Mapping[str, Mapping[int, int]], first_ms: int, last_ms: int) -> list[int]:
    """The intervals that every reported channel measured: less sold power unseen must not look like more used."""
    if not measured:
        return []
    common = set.intersection(*(set(amounts) for amounts in measured.values()))
    return sorted(at for at in common if first_ms < at <= last_ms)


# -- months, in Japan's time -------------------------------------------------------------------------------------------


def window(plan: Plan, month: str) -> tuple[int, int]:
    """The first and the last time of readings that matter to a month."""
    return month_start_ms(month) - plan.before_ms, month_start_ms(next_month(month)) + plan.after_ms


def months_touched(plan: Plan, end_ms: int) -> tuple[str, ...]:
    """The months whose totals a reading can change, in order."""
    month = month_of(max(0, end_ms - plan.after_ms - 1))
    touched = []
    while window(plan, month)[0] <= end_ms:
        touched.append(month)
        month = next_month(month)
    return tuple(touched)
