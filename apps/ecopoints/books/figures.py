"""The figures of a period as pages and exports show them: exact kilograms by fiscal year, and the whole tonnes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from contracts.ecopoints.methodology.jcredit import WholeTonnes, discounted, whole_tonnes


@dataclass(frozen=True, slots=True)
class YearFigures:
    """A fiscal year's exact kilograms. `counted`: with the estimated part (class C) discounted, before the floor."""

    year: int
    baseline: Fraction
    project: Fraction
    reduction: Fraction
    estimated: Fraction

    @property
    def counted(self) -> Fraction:
        return discounted(self.reduction - self.estimated, self.estimated)


def by_year(years: Mapping[str, Mapping[str, str]]) -> tuple[YearFigures, ...]:
    """The sums of a period's row, the earliest fiscal year first."""
    return tuple(
        YearFigures(
            int(year), Fraction(sums["baseline"]), Fraction(sums["project"]), Fraction(sums["reduction"]),
            Fraction(sums["estimated"]),
        )
        for year, sums in sorted(years.items())
    )  # fmt: skip


def tonnes_of(years: Sequence[YearFigures]) -> WholeTonnes:
    """E5a: each fiscal year floored to whole tonnes, then added: what an application for these years alone asks for."""
    return whole_tonnes({one.year: one.counted for one in years})


def show_kg(kilograms: Fraction) -> str:
    """`1,234.5`: to a tenth of a kilogram, for people's eyes; whatever is reckoned goes on with the exact fraction."""
    tenths = round(kilograms * 10)
    whole, rest = divmod(abs(tenths), 10)
    return f"{'-' if tenths < 0 else ''}{whole:,}.{rest}"
