"""Which language a visitor reads, and how dates and numbers are written in it. All times are shown in Japan time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

from ledger.refusal import Language

Clock = Callable[[], int]
"""The wall clock in milliseconds since 1970: handed in, so that tests can turn it."""

JST = timezone(timedelta(hours=9), "JST")
WEEKDAYS_JA = "月火水木金土日"
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def system_clock() -> int:
    return time.time_ns() // 1_000_000


def as_language(value: str | None) -> Language | None:
    match value:
        case "ja":
            return "ja"
        case "en":
            return "en"
        case _:
            return None


def choose_language(*, query: str | None, cookie: str | None, accept: str | None) -> Language:
    """The visitor's own choice (`?lang=en`, kept in a cookie) before the browser's; Japanese where nothing is said."""
    return as_language(query) or as_language(cookie) or _accepted(accept or "") or "ja"


def _accepted(header: str) -> Language | None:
    best: Language | None = None
    best_weight = 0.0
    for part in header[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        language = as_language(tag.strip().split("-")[0].lower())
        weight = _weight(parameter)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def jst(time_ms: int) -> datetime:
    """The moment as a clock in Japan shows it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(JST)


def day_start_ms(day: date) -> int:
    """00:00 JST of a day, in milliseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=JST).timestamp() * 1000)


def show_time(time_ms: int, language: Language) -> str:
    """`2026年4月1日(水) 09:05` or `Wed 1 Apr 2026, 09:05 JST`."""
    moment = jst(time_ms)
    clock = f"{moment.hour:02}:{moment.minute:02}"
    return (
        f"{show_date(moment.date(), language)} {clock}"
        if language == "ja"
        else (f"{show_date(moment.date(), language)}, {clock} JST")
    )


def show_date(day: date, language: Language) -> str:
    if language == "ja":
        return f"{day.year}年{day.month}月{day.day}日({WEEKDAYS_JA[day.weekday()]})"
    return f"{WEEKDAYS_EN[day.weekday()]} {day.day} {MONTHS_EN[day.month - 1]} {day.year}"


def show_number(value: int) -> str:
    """Grouped by thousands, as both languages do: `12,345`."""
    return f"{value:,}"


LANGUAGE_NAMES = (("ja", "日本語"), ("en", "English"))
