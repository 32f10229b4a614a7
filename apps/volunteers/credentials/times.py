"""Points in time as credentials write them (XML Schema dateTimeStamp): always with their offset from UTC.

Municipal periods begin and end at midnight in Japan, so ours are written in Japan Standard Time and stay readable.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

JST = timezone(timedelta(hours=9))
STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_stamp(time_ms: int) -> str:
    """To the second, which credentials are precise to."""
    return datetime.fromtimestamp(time_ms // 1000, JST).isoformat()


def read_stamp(text: str) -> int:
    """Milliseconds since 1970; `ValueError` if it is not a dateTimeStamp. Parts of a millisecond are dropped."""
    if not STAMP.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no point in time with its offset from UTC")
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)
