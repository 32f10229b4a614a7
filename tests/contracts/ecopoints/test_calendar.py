"""Months and fiscal years in Japan's time, against the standard library."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ecopoints.methodology import (
    fiscal_year_of,
    fiscal_year_of_month,
    month_after,
    month_of,
    month_start_ms,
    months_between,
    next_month,
)
from ledger.refusal import Refused

JST = timezone(timedelta(hours=9))


@given(st.integers(min_value=0, max_value=16_725_193_200_000))
def test_the_month_of_a_moment_is_that_of_the_standard_library(time_ms: int) -> None:
    moment = datetime.fromtimestamp(time_ms // 1000, JST)
    month = month_of(time_ms)
    assert month == moment.strftime("%Y-%m")
    assert month_start_ms(month) <= time_ms < month_start_ms(next_month(month))


@given(st.integers(min_value=1970, max_value=2499), st.integers(min_value=1, max_value=12))
def test_a_month_begins_at_midnight_in_japan(year: int, month: int) -> None:
    expected = int(datetime(year, month, 1, tzinfo=JST).timestamp() * 1000)
    assert month_start_ms(f"{year:04d}-{month:02d}") == expected


def test_the_fiscal_year_turns_at_midnight_of_the_first_of_april() -> None:
    turn = int(datetime(2026, 4, 1, tzinfo=JST).timestamp() * 1000)
    assert (fiscal_year_of(turn - 1), fiscal_year_of(turn)) == (2025, 2026)
    assert [fiscal_year_of_month(m) for m in ("2026-03", "2026-04", "2027-03", "2027-04")] == [2025, 2026, 2026, 2027]


def test_months_between_counts_both_ends() -> None:
    assert months_between("2026-11", "2027-02") == ("2026-11", "2026-12", "2027-01", "2027-02")
    assert months_between("2026-11", "2026-11") == ("2026-11",)
    assert months_between("2026-11", "2026-10") == ()
    assert month_after("2026-01", -1) == "2025-12"


def test_a_span_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="too_many_months"):
        months_between("1900-01", "2100-01")


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "2026-4", "26-04", "2026-04-01", "２０２６-04"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(Refused, match="bad_month"):
        month_start_ms(month)
