"""EN-S-012 電気自動車又はプラグインハイブリッド自動車の導入: an EV or PHV in the place of a car that burns fuel.

    ER    = EM_BL − EM_PJ
    EM_BL = L_PJ ÷ FE_BL × HV_BL,fuel × CEF_BL,fuel          the same distance with the baseline car
    EM_PJ = EL_PJ × CEF_electricity,t + F_PJ × HV_PJ,fuel × CEF_PJ,fuel

Source: J-クレジット制度 方法論 EN-S-012 (https://japancredit.go.jp/pdf/methodology/EN-S-012_outline.pdf), as the report
names it. A car whose charging cannot be read has EL_PJ = L_PJ ÷ its electric economy, marked as an estimate; for a PHV
that takes all its distance as electric beside the fuel it burnt, which understates the reduction and never overstates.
"""

from __future__ import annotations

from fractions import Fraction

from contracts.ecopoints.methodology.factors import ELECTRICITY, Factors, carbon_of, heat_of
from contracts.ecopoints.methodology.model import (
    DAY_MS,
    Channel,
    Measured,
    Methodology,
    Parameter,
    Parameters,
    Reduction,
    Step,
    choice,
    needed,
    number,
)
from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused, Text

DISTANCE, CHARGED, FUEL = "distance", "charged", "fuel"
NO_FUEL = "none"
FUELS = ("gasoline", "diesel")


def reduce(measured: Measured, parameters: Parameters, factors: Factors) -> Reduction:
    l_pj = Fraction(needed(measured, DISTANCE), 1000)  # km
    fe_bl = Fraction(number(parameters, "baseline_km_per_l_x10"), 10)  # km/L
    baseline_fuel = choice(parameters, "baseline_fuel", "gasoline")
    f_bl = l_pj * Fraction(fe_bl.denominator, fe_bl.numerator)  # L: L_PJ ÷ FE_BL
    em_bl = fuel_emissions(f_bl, baseline_fuel, factors)

    el_pj, estimated = electricity(measured, parameters, l_pj)
    cef_electricity = factors.of(ELECTRICITY).exact
    em_electricity = el_pj * cef_electricity * 1000

    own_fuel = choice(parameters, "fuel", NO_FUEL)
    f_pj = Fraction(0) if own_fuel == NO_FUEL else Fraction(needed(measured, FUEL), 1000)  # L
    em_fuel = Fraction(0) if own_fuel == NO_FUEL else fuel_emissions(f_pj, own_fuel, factors)
    em_pj = em_electricity + em_fuel

    steps = (
        Step("L_PJ", l_pj, "km"),
        Step("FE_BL", fe_bl, "km/L"),
        Step("HV_BL,fuel", factors.of(heat_of(baseline_fuel)).exact, "GJ/kL"),
        Step("CEF_BL,fuel", factors.of(carbon_of(baseline_fuel)).exact, "tCO2/GJ"),
        Step("EM_BL", em_bl, "kgCO2"),
        Step("EL_PJ", el_pj, "kWh"),
        Step("CEF_electricity,t", cef_electricity, "tCO2/kWh"),
        Step("F_PJ", f_pj, "L"),
        Step("EM_PJ", em_pj, "kgCO2"),
        Step("ER", em_bl - em_pj, "kgCO2"),
    )
    return Reduction(em_bl, em_pj, estimated or bool(measured.estimated), steps)


def fuel_emissions(litres: Fraction, fuel: str, factors: Factors) -> Fraction:
    """F × HV × CEF in kgCO2: litres ÷ 1000 are kilolitres, tonnes × 1000 are kilograms."""
    return litres * factors.of(heat_of(fuel)).exact * factors.of(carbon_of(fuel)).exact


def electricity(measured: Measured, parameters: Parameters, l_pj: Fraction) -> tuple[Fraction, bool]:
    """EL_PJ in kWh, and whether it is an estimate from the car's km/kWh (E1g)."""
    if CHARGED in measured.totals:
        return Fraction(measured.totals[CHARGED], 1000), False
    if "km_per_kwh_x10" not in parameters:
        raise Refused(MethodologyReason.MISSING_CHANNEL, channel=CHARGED)
    return l_pj * Fraction(10, number(parameters, "km_per_kwh_x10")), True


def fits_kind(parameters: Parameters, kind: str) -> None:
    """A PHV burns a fuel, which must be counted; an EV burns none."""
    burns = choice(parameters, "fuel", NO_FUEL) != NO_FUEL
    if burns != (kind == "phv"):
        expected = " / ".join(FUELS) if kind == "phv" else NO_FUEL
        raise Refused(MethodologyReason.BAD_PARAMETER, parameter="fuel", expected=expected)


METHODOLOGY = Methodology(
    code="EN-S-012",
    version="1",
    title=Text("電気自動車又はプラグインハイブリッド自動車の導入", "Electric and plug-in hybrid cars"),
    source="J-クレジット制度 方法論 EN-S-012 電気自動車又はプラグインハイブリッド自動車の導入",
    device_kinds=("ev", "phv"),
    channels=(
        Channel(DISTANCE, "m", required=True, register=True, interval_ms=DAY_MS),
        Channel(CHARGED, "Wh", required=False, register=True, interval_ms=DAY_MS),
        Channel(FUEL, "mL", required=False, register=True, interval_ms=DAY_MS),
    ),
    parameters=(
        Parameter(
            "baseline_km_per_l_x10",
            Text("ベースライン車の燃費(0.1 km/L)", "Fuel economy of the baseline car (0.1 km/L)"),
            "0.1 km/L", required=True, minimum=10, maximum=500,
        ),
        Parameter(
            "baseline_fuel", Text("ベースライン車の燃料", "Fuel of the baseline car"), "",
            required=False, choices=FUELS,
        ),
        Parameter(
            "km_per_kwh_x10",
            Text("電費(0.1 km/kWh)", "Electric economy (0.1 km/kWh)"),
            "0.1 km/kWh", required=False, minimum=10, maximum=200,
        ),
        Parameter(
            "fuel", Text("燃料(PHV)", "Fuel (PHV)"), "", required=False, choices=(NO_FUEL, *FUELS),
        ),
    ),
    formula=reduce,
    fits_kind=fits_kind,
)  # fmt: skip
