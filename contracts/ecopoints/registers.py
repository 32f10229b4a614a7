"""One register of a meter through time: which intervals its readings measure, and which of them cannot be believed.

A register only rises. Its readings fall into runs in which every step is plausible; where one run ends and the next
begins, the register either jumped further than the device can deliver, or went back. After it went back there are
three stories, told apart by what follows, however late that arrives:

- it returns to its former level within a few readings: the low readings were a passing zero, nothing began anew;
- it began again near zero and stays (`settled` readings): a genuine reset, and it counts from there;
- anything else: nothing counts until it is above its former level, or an officer releases the reading.

A rollover is a plausible step across a power of ten, and no break at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ledger.refusal import Reason, Text

SMALLEST_ROLLOVER = 10**7
"""Watt-hours: six digits of 0.01 kWh. Units are powers of ten, and so is the amount at which digits are used up."""


class Doubt(Reason):
    """Why an interval is quarantined."""

    WENT_BACK = Text("積算値が戻りました", "the register went back")
    AFTER_BACK = Text("積算値が戻った直後です", "it follows on a register that went back")
    BELOW_FORMER = Text("積算値が以前の値を下回ったままです", "the register stands below its former level")
    OVER_CAPACITY = Text("機器の能力を超えています", "it is more than the device can deliver")
    AT_NIGHT = Text("夜間の太陽光発電です", "the sun does not shine at that time")
    SOLD_OVER_GENERATED = Text("売電が発電を上回っています", "more was sold than generated")
    CONFLICT = Text("同じ時刻に異なる値が届いています", "different values arrived for the same time")
    NO_DATA = Text("機器が「データなし」と答えました", "the device answered that it has no data")
    OFF_GRID = Text("計測時刻が区切りに合っていません", "it does not end at an interval's end")


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of a channel. `limit`: the most that one interval can bring, in the channel's unit."""

    channel: str
    limit: int
    register: bool = True
    """A register that goes on rising; else each value is an interval's own amount."""
    rolls_over: bool = False
    """Whether it begins again at 0 when its decimal digits are used up, as energy meters do (ECHONET Lite 0xD7)."""
    daylight: bool = False
    """Nothing can come at night."""


class Point(NamedTuple):
    """A reading that has a value. `released`: an officer believes it."""

    end_ms: int
    value: int
    released: bool = False


class Interval(NamedTuple):
    """What the interval ending at `end_ms` brought; doubted ones count nothing, but show their amount."""

    end_ms: int
    amount: int
    doubt: Doubt | None


@dataclass(frozen=True, slots=True)
class _Run:
    first: int
    last: int
    went_back: bool


@dataclass(frozen=True, slots=True)
class _Level:
    """Where the register is believed to stand, and how many readings say so."""

    point: Point
    weight: int


@dataclass(frozen=True, slots=True)
class Story:
    """What the readings of one register, in order of time, one a time, are taken to mean."""

    points: Sequence[Point]
    rises: Sequence[int | None]
    """From the reading before to each; None if that step is not plausible."""
    runs: Sequence[_Run]
    sound: Sequence[bool]

    def standing_since(self) -> int | None:
        """The index at which the last run begins; None if what is yet to come could change what these readings mean.

        As long as plausible steps follow, the last run only grows, and the ones before are judged. What a run that went
        back means is open until its readings are believed.
        """
        if not self.runs:
            return None
        last = self.runs[-1]
        is_judged = self.sound[-1] and (not last.went_back or last.last > last.first)
        return last.first if is_judged else None


def story_of(points: Sequence[Point], meter: Meter, interval_ms: int, settled: int) -> Story:
    if not meter.register:
        return Story(points, [], [], [])
    rises = [None, *(step(before, after, meter, interval_ms) for before, after in pairwise(points))]
    runs = list(_runs(points, rises))
    return Story(points, rises, runs, _sound(points, runs, meter, interval_ms, settled))


def intervals(story: Story, meter: Meter, interval_ms: int, first_ms: int, last_ms: int) -> Iterator[Interval]:
    """The intervals that end after `first_ms` and by `last_ms`, as the readings measure them; a gap yields none."""
    points, runs, sound = story.points, story.runs, story.sound
    if not meter.register:
        for point in points:
            is_over = point.value > meter.limit and not point.released
            if first_ms < point.end_ms <= last_ms:
                yield Interval(point.end_ms, point.value, Doubt.OVER_CAPACITY if is_over else None)
        return
    backs = {run.first for run in runs if run.went_back}
    begins = {run.first for run in runs}
    for i in range(1, len(points)):
        if points[i].end_ms - points[i - 1].end_ms != interval_ms or not first_ms < points[i].end_ms <= last_ms:
            continue
        rise = story.rises[i]
        amount = rise if rise is not None else max(0, points[i].value - points[i - 1].value)
        doubt: Doubt | None = None
        if points[i].released:
            doubt = None
        elif i in backs:
            doubt = Doubt.WENT_BACK
        elif i in begins:
            doubt = Doubt.OVER_CAPACITY
        elif i - 1 in backs and not points[i - 1].released:
            doubt = Doubt.AFTER_BACK
        elif not (sound[i] and sound[i - 1]):
            doubt = Doubt.BELOW_FORMER
        yield Interval(points[i].end_ms, amount, doubt)


def step(before: Point, after: Point, meter: Meter, interval_ms: int) -> int | None:
    """How far the register rose between two readings, across its rollover too; None if that is not plausible."""
    rise = after.value - before.value
    if 0 <= rise <= meter.limit:  # almost always, and always plausible
        return rise
    most = meter.limit * max(1, (after.end_ms - before.end_ms) // interval_ms)
    if rise < 0 and meter.rolls_over:
        modulus = max(SMALLEST_ROLLOVER, 10 ** len(str(before.value)))
        if 2 * most < modulus:  # else a rollover cannot be told from a register that went back
            rise += modulus
    return rise if 0 <= rise <= most else None


def _runs(points: Sequence[Point], rises: Sequence[int | None]) -> Iterator[_Run]:
    first, went_back = 0, False
    for i in range(1, len(points)):
        if rises[i] is None:
            yield _Run(first, i - 1, went_back)
            first, went_back = i, points[i].value < points[i - 1].value
    if points:
        yield _Run(first, len(points) - 1, went_back)


def _sound(points: Sequence[Point], runs: Sequence[_Run], meter: Meter, interval_ms: int, settled: int) -> list[bool]:
    """For each reading, whether the register can be believed to stand there."""
    sound = [True] * len(points)
    level: _Level | None = None
    for run in runs:
        length = run.last - run.first + 1
        returns = None if level is None else _returns(points, run, level, meter, interval_ms)
        if level is None or (not run.went_back and returns == run.first):
            level = _Level(points[run.last], length + (level.weight if level is not None else 0))
        elif not run.went_back or points[run.first].released:
            # A jump up repeats nothing that was counted. A short one may be an outlier, so it does not set the level.
            if length >= settled or points[run.first].released:
                level = _Level(points[run.last], length)
        elif returns is not None and returns - run.first < settled:
            sound[run.first : returns] = [False] * (returns - run.first)
            level = _Level(points[run.last], level.weight + run.last - returns + 1)
        elif length >= settled and (level.weight < settled or _near_zero(points, run, meter, interval_ms)):
            level = _Level(points[run.last], length)
        else:
            end = returns if returns is not None else run.last + 1
            sound[run.first : end] = [False] * (end - run.first)
            if returns is not None:
                level = _Level(points[run.last], level.weight + run.last - returns + 1)
    return sound


def _returns(points: Sequence[Point], run: _Run, level: _Level, meter: Meter, interval_ms: int) -> int | None:
    """The first reading of the run that goes on from the level."""
    for i in range(run.first, run.last + 1):
        if points[i].value >= level.point.value and step(level.point, points[i], meter, interval_ms) is not None:
            return i
    return None


def _near_zero(points: Sequence[Point], run: _Run, meter: Meter, interval_ms: int) -> bool:
    elapsed = points[run.first].end_ms - points[run.first - 1].end_ms
    return points[run.first].value <= meter.limit * max(1, elapsed // interval_ms)
