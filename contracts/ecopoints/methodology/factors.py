"""Emission factors in versioned tables: each with its unit, its source, and the fiscal years and region it holds for.

A table never changes once a period has been reckoned with it: a correction is a new version. Its digest stands in the
row of each period, so that years later it can be shown that the same factors were used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.crypto import sha256
from ledger.encoding import Value, encode
from ledger.refusal import BrokenInvariant, Refused

EVERYWHERE = ""
ELECTRICITY = "electricity"


def heat_of(fuel: str) -> str:
    """The name of a fuel's gross calorific value (単位発熱量)."""
    return f"{fuel}.heat"


def carbon_of(fuel: str) -> str:
    """The name of a fuel's emission factor by heat (排出係数)."""
    return f"{fuel}.co2"


@dataclass(frozen=True, slots=True)
class Factor:
    name: str
    value: Decimal
    unit: str
    source: str
    first_year: int
    """The fiscal years for which it holds, both counted."""
    last_year: int
    region: str = EVERYWHERE

    @property
    def exact(self) -> Fraction:
        return Fraction(self.value)

    def holds(self, fiscal_year: int, region: str) -> bool:
        return self.first_year <= fiscal_year <= self.last_year and self.region in (EVERYWHERE, region)


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of one fiscal year in one region."""

    table: str
    fiscal_year: int
    region: str
    by_name: Mapping[str, Factor]

    def of(self, name: str) -> Factor:
        """The factor of that name; `Refused(NO_FACTOR)`: nothing is ever taken from another year or region instead."""
        found = self.by_name.get(name)
        if found is None:
            raise Refused(
                MethodologyReason.NO_FACTOR,
                factor=name,
                fiscal_year=self.fiscal_year,
                region=self.region,
                version=self.table,
            )
        return found


@dataclass(frozen=True, slots=True)
class FactorTable:
    """A published version of the factors. BrokenInvariant if two of its factors hold at once."""

    version: str
    entries: tuple[Factor, ...]

    def __post_init__(self) -> None:
        for n, one in enumerate(self.entries):
            for other in self.entries[n + 1 :]:
                if one.name == other.name and one.region == other.region and _overlap(one, other):
                    raise BrokenInvariant(f"table {self.version}: {one.name} twice in one fiscal year")

    @property
    def digest(self) -> bytes:
        """SHA-256 of the table's canonical bytes: every figure, unit, source and validity."""
        rows: list[list[Value]] = [
            [f.name, str(f.value), f.unit, f.source, f.first_year, f.last_year, f.region] for f in self.entries
        ]
        return sha256(encode(["daicho-factor-table-v1", self.version, rows]))

    @property
    def regions(self) -> tuple[str, ...]:
        """Those for which the table has an electricity factor, in the order of their names."""
        return tuple(sorted(dict.fromkeys(f.region for f in self.entries if f.region != EVERYWHERE)))

    def factors(self, fiscal_year: int, region: str) -> Factors:
        """What holds in that year and region; a region's own factor goes before one that holds everywhere."""
        found: dict[str, Factor] = {}
        for factor in self.entries:
            if factor.holds(fiscal_year, region) and (factor.region != EVERYWHERE or factor.name not in found):
                found[factor.name] = factor
        return Factors(self.version, fiscal_year, region, found)


def _overlap(one: Factor, other: Factor) -> bool:
    return one.first_year <= other.last_year and other.first_year <= one.last_year
