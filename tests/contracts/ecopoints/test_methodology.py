"""The formulas of the methodologies: worked examples, each with its source, and what is refused."""

from __future__ import annotations

from contextlib import AbstractContextManager
from fractions import Fraction

import pytest

from contracts.ecopoints.methodology import (
    LATEST_TABLE,
    METHODOLOGIES,
    Factors,
    Measured,
    MethodologyReason,
    table,
)
from ledger.refusal import Refused

EV, PV, GENERATOR = METHODOLOGIES["EN-S-012"], METHODOLOGIES["EN-R-002"], METHODOLOGIES["EN-S-025"]
KM, KWH, LITRE = 1000, 1000, 1000
CAR: dict[str, int | str] = {"baseline_km_per_l_x10": 150}
PLANT: dict[str, int | str] = {"capacity_w": 3000}


def factors(year: int = 2026, region: str = "tepco") -> Factors:
    return table(LATEST_TABLE).factors(year, region)


def refused(reason: MethodologyReason) -> AbstractContextManager[pytest.ExceptionInfo[Refused]]:
    return pytest.raises(Refused, match=f"^{reason.code}:")


@pytest.mark.function("E1a", "E1c", "E1d")
def test_an_ev_of_10000_km_against_15_km_a_litre() -> None:
    """Issue and report: 10,000 km, 15 km/L of gasoline (33.4 GJ/kL, 0.0686 tCO2/GJ), 6 km/kWh at 0.000421 tCO2/kWh."""
    measured = Measured({"distance": 10_000 * KM, "charged": 1_666_667})
    found = EV.reduce(measured, CAR, factors())
    assert found.baseline_kg == Fraction(10_000, 15) * Fraction("33.4") * Fraction("0.0686")
    assert round(found.baseline_kg, 3) == Fraction("1527.493")
    assert found.project_kg == Fraction("1666.667") * Fraction("0.421")
    assert round(found.reduction_kg, 3) == Fraction("825.827")
    assert not found.estimated


@pytest.mark.function("E1g")
def test_electricity_from_km_per_kwh_is_exact_and_marked_as_an_estimate() -> None:
    found = EV.reduce(Measured({"distance": 10_000 * KM}), {**CAR, "km_per_kwh_x10": 60}, factors())
    assert found.project_kg == Fraction(10_000, 6) * Fraction("0.421")
    assert round(found.reduction_kg, 3) == Fraction("825.827")
    assert found.estimated


@pytest.mark.function("E1g")
def test_a_total_that_is_marked_as_an_estimate_marks_the_reduction() -> None:
    measured = Measured({"distance": 100 * KM, "charged": 15 * KWH}, frozenset({"charged"}))
    assert EV.reduce(measured, CAR, factors()).estimated


@pytest.mark.function("E1a")
def test_without_charging_and_without_economy_the_electricity_is_missing_and_not_zero() -> None:
    with refused(MethodologyReason.MISSING_CHANNEL):
        EV.reduce(Measured({"distance": 10_000 * KM}), CAR, factors())


@pytest.mark.function("E1b")
def test_a_phv_counts_its_fuel_beside_its_electricity() -> None:
    """1,000 km, 100 kWh and 20 L of gasoline: 20 × 33.4 × 0.0686 = 45.8248 kg beside 42.1 kg."""
    measured = Measured({"distance": 1000 * KM, "charged": 100 * KWH, "fuel": 20 * LITRE})
    found = EV.reduce(measured, {**CAR, "fuel": "gasoline"}, factors())
    assert found.project_kg == Fraction("42.1") + Fraction("45.8248")
    assert {s.symbol: s.value for s in found.steps}["F_PJ"] == 20


@pytest.mark.function("E1b")
def test_a_phv_without_its_fuel_is_refused() -> None:
    with refused(MethodologyReason.MISSING_CHANNEL):
        EV.reduce(Measured({"distance": KM, "charged": KWH}), {**CAR, "fuel": "gasoline"}, factors())


@pytest.mark.function("E1b")
def test_a_phv_is_registered_with_its_fuel_and_an_ev_without() -> None:
    EV.check_parameters({**CAR, "fuel": "gasoline"}, "phv")
    EV.check_parameters(CAR, "ev")
    for parameters, kind in ((CAR, "phv"), ({**CAR, "fuel": "gasoline"}, "ev")):
        with refused(MethodologyReason.BAD_PARAMETER):
            EV.check_parameters(parameters, kind)


@pytest.mark.function("E1c")
def test_a_diesel_baseline_has_the_factors_of_diesel() -> None:
    found = EV.reduce(Measured({"distance": 1500 * KM, "charged": 0}), {**CAR, "baseline_fuel": "diesel"}, factors())
    assert found.baseline_kg == 100 * Fraction("38.0") * Fraction("0.0689")


@pytest.mark.function("E1f")
def test_a_negative_reduction_stays_negative() -> None:
    """A thrifty baseline of 50 km/L against 1 km/kWh."""
    found = EV.reduce(Measured({"distance": 100 * KM, "charged": 100 * KWH}), {"baseline_km_per_l_x10": 500}, factors())
    assert found.reduction_kg == 2 * Fraction("33.4") * Fraction("0.0686") - Fraction("42.1")
    assert found.reduction_kg < 0


@pytest.mark.function("E2a")
def test_solar_power_of_3600_kwh_of_which_2400_were_sold() -> None:
    """Issue: 1,200 kWh used at home × 0.000421 tCO2/kWh = 505.2 kg."""
    found = PV.reduce(Measured({"generated": 3600 * KWH, "sold": 2400 * KWH}), PLANT, factors())
    assert found.reduction_kg == found.baseline_kg == Fraction("505.2")
    assert found.project_kg == 0


@pytest.mark.function("E2d")
def test_more_sold_than_generated_is_refused() -> None:
    with refused(MethodologyReason.SOLD_OVER_GENERATED):
        PV.reduce(Measured({"generated": 10, "sold": 11}), PLANT, factors())
    assert PV.reduce(Measured({"generated": 11, "sold": 11}), PLANT, factors()).reduction_kg == 0


@pytest.mark.function("E2b")
def test_a_generator_from_its_fuel_and_efficiency() -> None:
    """100 L of diesel × 38.0 MJ/L × 40 % ÷ 3.6 MJ/kWh = 422.22 kWh against the diesel's own emissions."""
    parameters: dict[str, int | str] = {"fuel": "diesel", "capacity_w": 10_000, "efficiency_permille": 400}
    found = GENERATOR.reduce(Measured({"fuel": 100 * LITRE}), parameters, factors())
    assert found.baseline_kg == 3800 * Fraction(4, 10) * Fraction(10, 36) * Fraction("0.421")
    assert found.project_kg == 3800 * Fraction("0.0689")
    assert found.reduction_kg < 0
    assert found.estimated


@pytest.mark.function("E2b")
def test_a_generator_whose_delivery_is_measured() -> None:
    parameters: dict[str, int | str] = {"fuel": "kerosene", "capacity_w": 10_000}
    found = GENERATOR.reduce(Measured({"fuel": 10 * LITRE, "delivered": 40 * KWH}), parameters, factors())
    assert found.baseline_kg == Fraction("16.84")
    assert found.project_kg == 365 * Fraction("0.0686")
    assert not found.estimated


@pytest.mark.function("E2b")
def test_a_generator_whose_fuel_is_not_known_is_refused() -> None:
    with refused(MethodologyReason.MISSING_CHANNEL):
        GENERATOR.reduce(Measured({"delivered": 40 * KWH}), {"fuel": "diesel", "capacity_w": 500}, factors())


@pytest.mark.parametrize("code", sorted(METHODOLOGIES))
def test_the_steps_of_the_evidence_end_in_the_reduction(code: str) -> None:
    totals = {"EN-S-012": {"distance": 1, "charged": 1}, "EN-R-002": {"generated": 2, "sold": 1}}
    parameters = {"EN-S-012": CAR, "EN-R-002": PLANT}
    measured = Measured(totals.get(code, {"fuel": 1, "delivered": 1}))
    found = METHODOLOGIES[code].reduce(measured, parameters.get(code, {"fuel": "diesel", "capacity_w": 500}), factors())
    named = {s.symbol: s.value for s in found.steps}
    assert named["ER"] == found.reduction_kg == named["EM_BL"] - named["EM_PJ"]
    assert found.steps[-1].symbol == "ER"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"baseline_km_per_l_x10": 0},
        {"baseline_km_per_l_x10": 501},
        {"baseline_km_per_l_x10": "150"},
        {"baseline_km_per_l_x10": True},
        {**CAR, "baseline_fuel": "wood"},
        {**CAR, "colour": "red"},
    ],
    ids=str,
)
def test_parameters_out_of_bounds_missing_or_unknown_are_refused(parameters: dict[str, int | str]) -> None:
    with refused(MethodologyReason.BAD_PARAMETER):
        EV.check_parameters(parameters)


def test_an_unknown_channel_or_an_amount_below_zero_is_refused() -> None:
    with refused(MethodologyReason.UNKNOWN_CHANNEL):
        PV.reduce(Measured({"generated": 1, "sold": 0, "stolen": 1}), PLANT, factors())
    with refused(MethodologyReason.BAD_AMOUNT):
        PV.reduce(Measured({"generated": 1, "sold": -1}), PLANT, factors())
