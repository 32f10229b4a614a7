"""A device's month reckoned on from where it stood, without its earlier readings: the same as `metering.derive`.

Ten thousand devices report every half hour, and each month has 1,440 half hours: to derive a month anew for each of
them would take minutes. Almost every reading only goes on from the last one, believed and in its turn. Whatever else
comes (late, missing in a channel, contradicted, not plausible) is not judged here: `advance` answers None, and the
month is derived from all its readings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.ecopoints.metering import RESOLUTION_WH, MonthTotals, Plan, Reading, is_night, window
from contracts.ecopoints.methodology.calendar import JST_MS, month_of
from contracts.ecopoints.registers import Meter, Point, step
from ledger.encoding import Wire


class Register(Wire, frozen=True):
    """A channel as it was read last, and what it has brought this month."""

    value: int
    total: int
    since_ms: int
    """Since when every step was plausible; 0: since the first reading that mattered to the month."""


class Progress(Wire, frozen=True):
    """A device's newest month up to its newest reading, which all its channels sent and nothing to come can change."""

    month: str
    last_ms: int
    registers: dict[str, Register]
    covered: int
    quarantined: int

    @property
    def totals(self) -> dict[str, int]:
        return {channel: register.total for channel, register in self.registers.items()}

    def counts_as(self, other: Progress) -> bool:
        """Whether the month's entry is the same."""
        return (self.totals, self.covered, self.quarantined) == (other.totals, other.covered, other.quarantined)


def progress_of(derived: Sequence[MonthTotals], latest_ms: int) -> Progress | None:
    """Where the last of some derived months stands; None if it cannot be reckoned on from there.

    `derived`: the months that a reading at `latest_ms` can change and that have readings, in order. `latest_ms`: the
    end of the device's newest interval, whether its reading can be used or not.
    """
    if not derived or month_of(latest_ms - 1) != derived[-1].month:
        return None
    if any(story.standing_since() is None for month in derived for story in month.stories.values()):
        return None
    newest = derived[-1]
    registers: dict[str, Register] = {}
    for channel, story in newest.stories.items():
        since = story.standing_since()
        if since is None or story.points[-1].end_ms != latest_ms:
            return None
        since_ms = story.points[since].end_ms if since > 0 else 0
        registers[channel] = Register(story.points[-1].value, newest.totals[channel], since_ms)
    return Progress(newest.month, latest_ms, registers, newest.covered, newest.quarantined_intervals)


def advance(plan: Plan, progress: Progress, readings: Sequence[Reading]) -> list[Progress] | None:
    """The progress with further readings, at the end of each month that they reach into; the last is where it stands.

    None if one of the readings is anything but the next one of a device that all is well with.
    """
    values = _by_time(plan, progress, readings)
    if values is None:
        return None
    meters = [meter for meter in plan.meters if meter.channel in progress.registers]
    found = [progress]
    for end_ms, value_of in values.items():
        month = month_of(end_ms - 1)
        now = found[-1]
        if month != now.month:
            begun = _begin(plan, now, month)
            if begun is None:
                return None
            found.append(begun)
            now = begun
        after = _step(plan, meters, now, end_ms, value_of)
        if after is None:
            return None
        found[-1] = after
    return found


def _by_time(plan: Plan, progress: Progress, readings: Sequence[Reading]) -> dict[int, dict[str, int]] | None:
    """The readings by their time, in order; None if they are not what a device that all is well with sends next."""
    values: dict[int, dict[str, int]] = {}
    for reading in sorted(readings, key=lambda r: r.end_ms):
        is_plain = reading.value is not None and not reading.conflict and not reading.released
        on_grid = (reading.end_ms + JST_MS) % plan.interval_ms == 0
        if reading.value is None or not is_plain or not on_grid or reading.end_ms <= progress.last_ms:
            return None
        values.setdefault(reading.end_ms, {})[reading.channel] = reading.value
    channels = progress.registers.keys()
    return values if all(value_of.keys() == channels for value_of in values.values()) else None


def _begin(plan: Plan, progress: Progress, month: str) -> Progress | None:
    """The beginning of a later month; None if it remembers a break that the month's window may cut off."""
    begin_ms, _ = window(plan, month)
    if any(register.since_ms > begin_ms for register in progress.registers.values()):
        return None
    registers = {channel: Register(r.value, 0, r.since_ms) for channel, r in progress.registers.items()}
    return Progress(month, progress.last_ms, registers, 0, 0)


def _step(
    plan: Plan, meters: Sequence[Meter], progress: Progress, end_ms: int, values: Mapping[str, int]
) -> Progress | None:
    rises: dict[str, int] = {}
    for meter in meters:
        before = Point(progress.last_ms, progress.registers[meter.channel].value)
        rise = step(before, Point(end_ms, values[meter.channel]), meter, plan.interval_ms)
        if rise is None:
            return None
        rises[meter.channel] = rise
    counts = end_ms - progress.last_ms == plan.interval_ms  # after a gap, the register goes on and nothing is earned
    if counts and not _is_believed(plan, meters, end_ms, rises):
        return None
    registers = {
        channel: Register(values[channel], register.total + (rises[channel] if counts else 0), register.since_ms)
        for channel, register in progress.registers.items()
    }
    covered = progress.covered + (1 if counts else 0)
    return Progress(progress.month, end_ms, registers, covered, progress.quarantined)


def _is_believed(plan: Plan, meters: Sequence[Meter], end_ms: int, rises: Mapping[str, int]) -> bool:
    dark = any(meter.daylight and rises[meter.channel] > 0 for meter in meters) and is_night(end_ms, plan.interval_ms)
    oversold = "sold" in rises and "generated" in rises and rises["sold"] > rises["generated"] + RESOLUTION_WH
    return not dark and not oversold
