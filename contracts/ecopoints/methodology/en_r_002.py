"""EN-R-002 太陽光発電設備の導入: solar power used by the household itself in the place of power from the grid.

    ER    = EM_BL − EM_PJ
    EM_BL = EL_BL × CEF_electricity,t        EL_BL = EL_generated − EL_sold: what the household used itself
    EM_PJ = 0                                the plant's own auxiliary use is behind the meter

Source: J-クレジット制度 方法論 EN-R-002 太陽光発電設備の導入 (Ver.3.0). Power that is sold earns nothing here: its
value goes with the sale.
"""

from __future__ import annotations

from fractions import Fraction

from contracts.ecopoints.methodology.factors import ELECTRICITY, Factors
from contracts.ecopoints.methodology.model import (
    HALF_HOUR_MS,
    Channel,
    Measured,
    Methodology,
    Parameter,
    Parameters,
    Reduction,
    Step,
    needed,
)
from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused, Text

GENERATED, SOLD = "generated", "sold"


def reduce(measured: Measured, parameters: Parameters, factors: Factors) -> Reduction:
    generated, sold = needed(measured, GENERATED), needed(measured, SOLD)
    if sold > generated:
        raise Refused(MethodologyReason.SOLD_OVER_GENERATED, sold=sold, generated=generated)
    el_bl = Fraction(generated - sold, 1000)  # kWh
    cef_electricity = factors.of(ELECTRICITY).exact
    em_bl = el_bl * cef_electricity * 1000
    em_pj = Fraction(0)
    steps = (
        Step("EL_generated", Fraction(generated, 1000), "kWh"),
        Step("EL_sold", Fraction(sold, 1000), "kWh"),
        Step("EL_BL", el_bl, "kWh"),
        Step("CEF_electricity,t", cef_electricity, "tCO2/kWh"),
        Step("EM_BL", em_bl, "kgCO2"),
        Step("EM_PJ", em_pj, "kgCO2"),
        Step("ER", em_bl - em_pj, "kgCO2"),
    )
    return Reduction(em_bl, em_pj, bool(measured.estimated), steps)


METHODOLOGY = Methodology(
    code="EN-R-002",
    version="1",
    title=Text("太陽光発電設備の導入", "Solar power"),
    source="J-クレジット制度 方法論 EN-R-002 太陽光発電設備の導入(Ver.3.0)",
    device_kinds=("pv",),
    channels=(
        Channel(GENERATED, "Wh", required=True, register=True, interval_ms=HALF_HOUR_MS),
        Channel(SOLD, "Wh", required=True, register=True, interval_ms=HALF_HOUR_MS),
    ),
    parameters=(
        Parameter(
            "capacity_w", Text("発電容量(W)", "Capacity (W)"), "W", required=True, minimum=100, maximum=10_000_000,
        ),
    ),
    formula=reduce,
)  # fmt: skip
