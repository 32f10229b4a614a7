"""What the scheme does with exact reductions: whole tonnes, the discount of class C, samples, and the report's figures.

The scheme rounds once: the reduction of each fiscal year is floored to whole tonnes, and the years are then added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused

KG_PER_TONNE = 1000

CLASS_C_PERMILLE = 950
"""What is left of a reduction that rests on estimated values (分類C): a programme's own, conservative choice."""

CI, K, VARIANCE = Fraction(2, 10), Fraction(165, 100), Fraction(25, 100)
"""Width of the confidence interval, standard normal quantile for 90 %, and p(1−p) at its largest."""

REPORT_KG_PER_KW = 650
"""1,950 kg a year of 3 kW (東京都地球温暖化防止活動推進センター, as the report cites it)."""
REPORT_YEN_PER_TONNE = 2_536
"""Mean price of credits from renewable energy, bidding of April 2021 (the report)."""
REPORT_INITIAL_YEN = 105_000_000
REPORT_RUNNING_YEN = 17_000_000


@dataclass(frozen=True, slots=True)
class WholeTonnes:
    """Tonnes of each fiscal year, floored; `total` is their sum, and never below zero."""

    years: Mapping[int, int]
    total: int


def whole_tonnes(by_year: Mapping[int, Fraction]) -> WholeTonnes:
    """E5a: kilograms of each fiscal year floored to tonnes, then added. A year below zero is floored away from zero."""
    years = {year: int(by_year[year] // KG_PER_TONNE) for year in sorted(by_year)}
    return WholeTonnes(years, max(0, sum(years.values())))


def discounted(measured_kg: Fraction, estimated_kg: Fraction, permille: int = CLASS_C_PERMILLE) -> Fraction:
    """Measured and estimated kilograms together, the estimated ones at `permille`; below zero none is taken off."""
    if not 0 <= permille <= 1000:
        raise Refused(MethodologyReason.BAD_FIGURE, figure="permille")
    return measured_kg + (estimated_kg * Fraction(permille, 1000) if estimated_kg > 0 else estimated_kg)


def sample_size(members: int) -> int:
    """E5+d: ⌈N ÷ ((CI ÷ 2k)² · (N−1) ÷ s² + 1)⌉, as registered programme plans use it; 0 for nobody."""
    if members < 0:
        raise Refused(MethodologyReason.BAD_FIGURE, figure="members")
    if members == 0:
        return 0
    half = CI * Fraction(K.denominator, 2 * K.numerator)
    below = half**2 * (members - 1) * Fraction(VARIANCE.denominator, VARIANCE.numerator) + 1
    return -(-members * below.denominator // below.numerator)


def yearly_kg(capacity_w: int, members: int = 1) -> Fraction:
    """The report's rule of thumb for solar plants: 650 kg a year for each kW of capacity."""
    return Fraction(capacity_w * REPORT_KG_PER_KW * members, 1000)


def revenue_yen(tonnes: int, yen_per_tonne: int = REPORT_YEN_PER_TONNE) -> int:
    return tonnes * yen_per_tonne


def break_even(yearly_yen: int, initial_yen: int = REPORT_INITIAL_YEN, running_yen: int = REPORT_RUNNING_YEN) -> int:
    """The first year at whose end all revenue covers the initial and all running costs; points are not counted.

    `Refused(NEVER_EVEN)` where a year's revenue is not above its running cost.
    """
    gain = yearly_yen - running_yen
    if gain <= 0:
        raise Refused(MethodologyReason.NEVER_EVEN)
    return max(1, -(-initial_yen // gain))
