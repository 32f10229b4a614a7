"""The factors in force in fiscal year 2026, as published by its beginning.

The factor of the fiscal year in which the reduction happened is used (モニタリング・算定規程 2.4.1). Until a year's own
electricity factor is published, the last published one is carried on here, and its source says so; the next table
version brings the year's own, and a period is reckoned with the version that it names.
"""

from __future__ import annotations

from decimal import Decimal

from contracts.ecopoints.methodology.factors import ELECTRICITY, Factor, FactorTable, carbon_of, heat_of

HEAT_UNIT = "GJ/kL"
CARBON_UNIT = "tCO2/GJ"
ELECTRICITY_UNIT = "tCO2/kWh"

BEFORE = "J-クレジット制度 モニタリング・算定規程(排出削減プロジェクト用)別表(標準発熱量の改訂前)"
NOW = "J-クレジット制度 モニタリング・算定規程(排出削減プロジェクト用)別表"
REPORTING = "温対法 算定・報告・公表制度 算定方法及び排出係数一覧(令和5年度排出量から)"
TEPCO = "東京電力エナジーパートナー 2024年度 CO2排出係数(電気事業者別排出係数)"
NATIONAL = "電気事業者別排出係数 代替値(2023年度)"


def _fuel(fuel: str, heat: str, carbon: str, source: str, first: int, last: int) -> tuple[Factor, Factor]:
    return (
        Factor(heat_of(fuel), Decimal(heat), HEAT_UNIT, source, first, last),
        Factor(carbon_of(fuel), Decimal(carbon), CARBON_UNIT, source, first, last),
    )


def _electricity(value: str, source: str, published: int, last: int, region: str) -> tuple[Factor, Factor]:
    """The factor of the year of which it was published, and as it is carried on until the next is."""
    carried = f"{source}、公表済みの最新値として準用"
    return (
        Factor(ELECTRICITY, Decimal(value), ELECTRICITY_UNIT, source, published, published, region),
        Factor(ELECTRICITY, Decimal(value), ELECTRICITY_UNIT, carried, published + 1, last, region),
    )


TABLE = FactorTable(
    "2026-1",
    (
        *_fuel("gasoline", "34.6", "0.0671", BEFORE, 2013, 2022),
        *_fuel("gasoline", "33.4", "0.0686", NOW, 2023, 2026),
        *_fuel("diesel", "37.9", "0.0686", BEFORE, 2013, 2022),
        *_fuel("diesel", "38.0", "0.0689", NOW, 2023, 2026),
        *_fuel("kerosene", "36.5", "0.0686", REPORTING, 2023, 2026),
        *_fuel("heavy_oil_a", "38.9", "0.0708", REPORTING, 2023, 2026),
        *_electricity("0.000421", TEPCO, 2024, 2026, "tepco"),
        *_electricity("0.000429", NATIONAL, 2023, 2026, "national"),
    ),
)
