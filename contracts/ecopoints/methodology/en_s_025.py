"""EN-S-025 自家用発電機の導入: power from one's own generator in the place of power from the grid.

    ER    = EM_BL − EM_PJ
    EM_BL = EL_PJ × CEF_electricity,t
    EM_PJ = F_PJ × HV_PJ,fuel × CEF_PJ,fuel
    EL_PJ = F_PJ × HV_PJ,fuel × ε_PJ ÷ 3.6 MJ/kWh            where the delivered power itself is not measured

Source: J-クレジット制度 方法論 EN-S-025 (https://japancredit.go.jp/pdf/methodology/EN-S-025_outline.pdf), as the report
names it; 1 kWh = 3.6 MJ. The fuel's emissions always count, so the fuel must be known. EL_PJ from the fuel rests on the
registered efficiency and is marked as an estimate.
"""

from __future__ import annotations

from fractions import Fraction

from contracts.ecopoints.methodology.factors import ELECTRICITY, Factors, carbon_of, heat_of
from contracts.ecopoints.methodology.model import (
    HALF_HOUR_MS,
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

DELIVERED, FUEL = "delivered", "fuel"
FUELS = ("kerosene", "diesel", "gasoline", "heavy_oil_a")
MJ_PER_KWH = Fraction(36, 10)


def reduce(measured: Measured, parameters: Parameters, factors: Factors) -> Reduction:
    fuel = choice(parameters, "fuel", FUELS[0])
    f_pj = Fraction(needed(measured, FUEL), 1000)  # L
    hv_pj = factors.of(heat_of(fuel)).exact  # GJ/kL = MJ/L
    cef_fuel = factors.of(carbon_of(fuel)).exact
    cef_electricity = factors.of(ELECTRICITY).exact
    el_pj, estimated = delivered(measured, parameters, f_pj * hv_pj)
    em_bl = el_pj * cef_electricity * 1000
    em_pj = f_pj * hv_pj * cef_fuel
    steps = (
        Step("F_PJ", f_pj, "L"),
        Step("HV_PJ,fuel", hv_pj, "GJ/kL"),
        Step("CEF_PJ,fuel", cef_fuel, "tCO2/GJ"),
        Step("EL_PJ", el_pj, "kWh"),
        Step("CEF_electricity,t", cef_electricity, "tCO2/kWh"),
        Step("EM_BL", em_bl, "kgCO2"),
        Step("EM_PJ", em_pj, "kgCO2"),
        Step("ER", em_bl - em_pj, "kgCO2"),
    )
    return Reduction(em_bl, em_pj, estimated or bool(measured.estimated), steps)


def delivered(measured: Measured, parameters: Parameters, heat_mj: Fraction) -> tuple[Fraction, bool]:
    """EL_PJ in kWh, and whether it is an estimate from the fuel's heat and the efficiency ε_PJ."""
    if DELIVERED in measured.totals:
        return Fraction(measured.totals[DELIVERED], 1000), False
    if "efficiency_permille" not in parameters:
        raise Refused(MethodologyReason.MISSING_CHANNEL, channel=DELIVERED)
    efficiency = Fraction(number(parameters, "efficiency_permille"), 1000)
    return heat_mj * efficiency * Fraction(MJ_PER_KWH.denominator, MJ_PER_KWH.numerator), True


METHODOLOGY = Methodology(
    code="EN-S-025",
    version="1",
    title=Text("自家用発電機の導入", "Own generators"),
    source="J-クレジット制度 方法論 EN-S-025 自家用発電機の導入",
    device_kinds=("generator",),
    channels=(
        Channel(DELIVERED, "Wh", required=False, register=True, interval_ms=HALF_HOUR_MS),
        Channel(FUEL, "mL", required=True, register=True, interval_ms=HALF_HOUR_MS),
    ),
    parameters=(
        Parameter("fuel", Text("燃料", "Fuel"), "", required=True, choices=FUELS),
        Parameter(
            "capacity_w", Text("発電容量(W)", "Capacity (W)"), "W", required=True, minimum=100, maximum=10_000_000,
        ),
        Parameter(
            "efficiency_permille", Text("発電効率(‰)", "Efficiency (‰)"), "‰",
            required=False, minimum=50, maximum=700,
        ),
    ),
    formula=reduce,
)  # fmt: skip
