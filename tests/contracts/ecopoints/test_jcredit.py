"""What the scheme does with reductions, and the figures of the report (使用例②)."""

from __future__ import annotations

from fractions import Fraction

import pytest

from contracts.ecopoints.methodology import MethodologyReason
from contracts.ecopoints.methodology.jcredit import (
    REPORT_INITIAL_YEN,
    REPORT_RUNNING_YEN,
    break_even,
    discounted,
    revenue_yen,
    sample_size,
    whole_tonnes,
    yearly_kg,
)
from ledger.refusal import Refused


@pytest.mark.function("E5a")
def test_the_figures_of_the_report_come_out() -> None:
    """3 kW: 1,950 kg; 10,000 members: 19,500 t; at 2,536 yen/t: 49,452,000 yen; it breaks even in the fourth year."""
    assert yearly_kg(3000) == 1950
    tonnes = whole_tonnes({2026: yearly_kg(3000, 10_000)}).total
    assert tonnes == 19_500
    assert revenue_yen(tonnes) == 49_452_000
    assert break_even(revenue_yen(tonnes)) == 4


def test_the_break_even_year_is_the_first_at_whose_end_nothing_is_owed() -> None:
    def left(year: int) -> int:
        return year * (49_452_000 - REPORT_RUNNING_YEN) - REPORT_INITIAL_YEN

    assert left(3) < 0 <= left(4)
    assert break_even(30, initial_yen=20, running_yen=10) == 1
    assert break_even(30, initial_yen=21, running_yen=10) == 2


def test_what_never_breaks_even_is_said_so() -> None:
    with pytest.raises(Refused) as refusal:
        break_even(REPORT_RUNNING_YEN)
    assert refusal.value.reason is MethodologyReason.NEVER_EVEN


@pytest.mark.function("E5a")
def test_each_fiscal_year_is_floored_and_then_the_years_are_added() -> None:
    found = whole_tonnes({2027: Fraction("1999.999"), 2026: Fraction(1000)})
    assert dict(found.years) == {2026: 1, 2027: 1}
    assert list(found.years) == [2026, 2027]
    assert found.total == 2
    assert whole_tonnes({2026: Fraction(1500), 2027: Fraction(1500)}).total == 2, "3 if the sum were floored"


def test_a_year_below_zero_takes_from_the_others_and_the_total_is_never_below_zero() -> None:
    assert whole_tonnes({2026: Fraction(3500), 2027: Fraction(-1)}).total == 2
    assert whole_tonnes({2026: Fraction(-1)}).total == 0
    assert whole_tonnes({}).total == 0


def test_estimated_kilograms_are_discounted_and_never_made_better() -> None:
    assert discounted(Fraction(100), Fraction(100)) == 195
    assert discounted(Fraction(100), Fraction(-100)) == 0
    assert discounted(Fraction(1), Fraction(100), permille=0) == 1
    with pytest.raises(Refused):
        discounted(Fraction(0), Fraction(0), permille=1001)


@pytest.mark.parametrize(
    ("members", "sample"),
    [(0, 0), (1, 1), (10, 9), (100, 41), (1000, 64), (10_000, 68), (1_000_000, 69)],
)
def test_the_sample_is_of_the_size_that_registered_plans_use(members: int, sample: int) -> None:
    """⌈N ÷ ((0.2 ÷ 3.3)² · (N−1) ÷ 0.25 + 1)⌉."""
    exact = members / ((0.2 / 3.3) ** 2 * (members - 1) / 0.25 + 1) if members else 0
    assert sample_size(members) == sample
    assert 0 <= sample - exact < 1
