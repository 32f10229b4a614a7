"""Months and fiscal years in Japan's time: `2026-04`, and FY2026 from 2026-04-01 00:00 JST. Whole numbers only.

Japan Standard Time is UTC+9 all the year (明治28年勅令第167号); no clock and no time zone data is asked.
"""

from __future__ import annotations

from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused

JST_MS = 9 * 3_600_000
DAY_MS = 24 * 3_600_000
FIRST_MONTH_OF_FISCAL_YEAR = 4
MAX_MONTHS = 1_200


def month_of(time_ms: int) -> str:
    """The month of Japan's time in which `time_ms` (milliseconds since 1970, UTC) lies."""
    year, month, _ = _civil((time_ms + JST_MS) // DAY_MS)
    return f"{year:04d}-{month:02d}"


def day_of(time_ms: int) -> str:
    """The day of Japan's time in which `time_ms` lies: `2026-04-01`."""
    year, month, day = _civil((time_ms + JST_MS) // DAY_MS)
    return f"{year:04d}-{month:02d}-{day:02d}"


def month_start_ms(month: str) -> int:
    """Midnight JST at which the month begins, in milliseconds since 1970, UTC."""
    return _days(*_parts(month)) * DAY_MS - JST_MS


def month_after(month: str, count: int) -> str:
    """The month `count` months later (earlier where it is negative)."""
    year, number = _parts(month)
    years, rest = divmod(year * 12 + number - 1 + count, 12)
    return f"{years:04d}-{rest + 1:02d}"


def next_month(month: str) -> str:
    return month_after(month, 1)


def months_between(first: str, last: str) -> tuple[str, ...]:
    """The months from `first` to `last`, both counted; none where `last` is earlier. At most a hundred years."""
    (first_year, first_number), (last_year, last_number) = _parts(first), _parts(last)
    count = (last_year - first_year) * 12 + last_number - first_number + 1
    if count > MAX_MONTHS:
        raise Refused(MethodologyReason.TOO_MANY_MONTHS, limit=MAX_MONTHS)
    return tuple(month_after(first, n) for n in range(count))


def fiscal_year_of_month(month: str) -> int:
    """年度: April to March. FY2026 has 2026-04 to 2027-03."""
    year, number = _parts(month)
    return year if number >= FIRST_MONTH_OF_FISCAL_YEAR else year - 1


def fiscal_year_of(time_ms: int) -> int:
    return fiscal_year_of_month(month_of(time_ms))


def _parts(month: str) -> tuple[int, int]:
    year, dash, number = month.partition("-")
    written = len(year) == 4 and len(number) == 2 and (year + number).isascii() and (year + number).isdecimal()
    if not (dash and written and 1 <= int(number) <= 12):
        raise Refused(MethodologyReason.BAD_MONTH, month=month[:32])
    return int(year), int(number)


def _days(year: int, month: int) -> int:
    """Days from 1970-01-01 to the month's first, in the proleptic Gregorian calendar.

    Years are begun in March, so that the leap day is the last; 153 days in each five months from March on.
    """
    year, shifted = (year, month - 3) if month > 2 else (year - 1, month + 9)
    era, of_era = divmod(year, 400)
    day_of_year = (153 * shifted + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + day_of_year - 719_468


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a count of days since 1970-01-01: the inverse of `_days`."""
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    day_of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (1 if month <= 2 else 0), month, day
