"""Factor tables: validity by fiscal year and region, what is missing, and the digest that periods keep."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from contracts.ecopoints.methodology import LATEST_TABLE, TABLES, Factor, FactorTable, MethodologyReason, table
from contracts.ecopoints.methodology.factors import ELECTRICITY, carbon_of, heat_of
from ledger.refusal import BrokenInvariant, Refused

LATEST = table(LATEST_TABLE)


@pytest.mark.parametrize(
    ("year", "heat", "carbon"), [(2022, "34.6", "0.0671"), (2023, "33.4", "0.0686"), (2026, "33.4", "0.0686")]
)
def test_a_factor_is_that_of_the_fiscal_year(year: int, heat: str, carbon: str) -> None:
    found = LATEST.factors(year, "tepco")
    assert found.of(heat_of("gasoline")).value == Decimal(heat)
    assert found.of(carbon_of("gasoline")).value == Decimal(carbon)


def test_electricity_is_that_of_the_region() -> None:
    assert LATEST.factors(2024, "tepco").of(ELECTRICITY).value == Decimal("0.000421")
    assert LATEST.factors(2024, "national").of(ELECTRICITY).value == Decimal("0.000429")
    assert LATEST.regions == ("national", "tepco")


@pytest.mark.parametrize(
    ("year", "region", "name"),
    [
        (2023, "tepco", ELECTRICITY),
        (2027, "tepco", ELECTRICITY),
        (2026, "nowhere", ELECTRICITY),
        (2026, "", ELECTRICITY),
        (2012, "tepco", heat_of("gasoline")),
        (2026, "tepco", heat_of("wood")),
    ],
)
def test_a_missing_factor_is_refused_and_never_taken_from_elsewhere(year: int, region: str, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        LATEST.factors(year, region).of(name)
    assert refusal.value.reason is MethodologyReason.NO_FACTOR
    assert refusal.value.params["fiscal_year"] == year


def test_a_factor_that_is_carried_on_says_so() -> None:
    published, carried = (LATEST.factors(year, "tepco").of(ELECTRICITY) for year in (2024, 2026))
    assert published.value == carried.value
    assert "準用" in carried.source and "準用" not in published.source


def test_every_factor_has_a_unit_a_source_and_a_span() -> None:
    for one in TABLES.values():
        for factor in one.entries:
            assert factor.value > 0 and factor.unit and factor.source
            assert factor.first_year <= factor.last_year


def test_a_published_table_stays_as_it_is() -> None:
    """Periods keep this digest. A change of any figure, unit or source is a new version of the table, not an edit."""
    assert LATEST.digest.hex() == "c43452f540ab1d56fd10f3c2b2cc1b89ec2ce465036f7473baf466510a822306"


def test_the_digest_tells_every_change() -> None:
    first = LATEST.entries[0]
    changes = (
        replace(first, value=first.value + 1),
        replace(first, unit="MJ/L"),
        replace(first, source="somebody"),
        replace(first, first_year=first.first_year - 1),
        replace(first, region="tepco"),
    )
    digests = {FactorTable(LATEST.version, (one, *LATEST.entries[1:])).digest for one in changes}
    assert len(digests | {LATEST.digest}) == len(changes) + 1


def test_two_factors_for_one_year_break_the_table() -> None:
    one = Factor("x", Decimal(1), "u", "s", 2020, 2024)
    with pytest.raises(BrokenInvariant, match="twice"):
        FactorTable("t", (one, replace(one, first_year=2024, last_year=2030)))


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        table("1999-1")
    assert refusal.value.reason is MethodologyReason.UNKNOWN_TABLE
