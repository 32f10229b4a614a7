"""A member's CO2 by month: reckoned by the contract's own function from the copy of its rows.

For a settled month the result is what the chain has to the last digit; a month that is in no settled period yet is
reckoned with the latest table of factors and shown as a forecast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common.charts import Chart
from apps.common.web import Visit
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, PeriodRow
from contracts.ecopoints.methodology import (
    LATEST_TABLE,
    METHODOLOGIES,
    fiscal_year_of_month,
    month_after,
    month_of,
    months_between,
    table,
)
from contracts.ecopoints.periods import month_reduction
from contracts.ecopoints.types import MonthRow
from ledger.refusal import Refused

Basis = Literal["measured", "manual", "estimated"]
BASES: tuple[Basis, ...] = ("measured", "manual", "estimated")
SETTLED = ("settled", "certified")
CHART_MONTHS = 24
REGION_UNKNOWN = "national"


@dataclass(frozen=True, slots=True)
class MonthFigure:
    """What a device saved in a month. `kilograms` None: nothing was measured, or a value is `missing`."""

    device: str
    methodology: str
    month: str
    kilograms: Fraction | None
    basis: Basis
    missing: str
    settled: bool
    covered: int
    expected: int
    quarantined: int

    @property
    def coverage(self) -> int | None:
        """Whole per cent of the month's intervals that count, floored; None: not measured by intervals."""
        return self.covered * 100 // self.expected if self.expected else None


def figures_of(session: Session, devices: Sequence[DeviceRow], region: str, now_ms: int) -> list[MonthFigure]:
    """Every month of the devices from their first to the present one; months without any value are gaps."""
    rows: dict[str, dict[str, DeviceMonthRow]] = defaultdict(dict)
    query = select(DeviceMonthRow).where(DeviceMonthRow.device.in_([d.device for d in devices]))
    for row in session.scalars(query):
        rows[row.device][row.month] = row
    periods = _periods(session, devices)
    found = []
    for device in (d for d in devices if d.methodology):
        last = month_of(device.retired_ms if device.retired_ms is not None else now_ms)
        first = min([*rows[device.device], month_of(device.registered_ms)])
        for month in months_between(first, max([last, *rows[device.device]])):
            period = periods.get((device.municipality, device.methodology, month))
            found.append(_figure(device, month, rows[device.device].get(month), period, region))
    return found


def _periods(session: Session, devices: Sequence[DeviceRow]) -> dict[tuple[str, str, str], PeriodRow]:
    towns, codes = {d.municipality for d in devices}, {d.methodology for d in devices}
    query = select(PeriodRow).where(PeriodRow.municipality.in_(towns), PeriodRow.methodology.in_(codes))
    return {
        (period.municipality, period.methodology, month): period
        for period in session.scalars(query)
        for month in months_between(period.first_month, period.last_month)
    }


def _figure(
    device: DeviceRow, month: str, row: DeviceMonthRow | None, period: PeriodRow | None, region: str
) -> MonthFigure:
    settled = period is not None and period.status in SETTLED
    if row is None or not row.totals:
        quarantined = row.quarantined if row is not None else 0
        covered, expected = (row.covered, row.expected) if row is not None else (0, 0)
        return MonthFigure(
            device.device, device.methodology, month, None, "measured", "", settled, covered, expected, quarantined
        )
    kilograms, missing, estimated = _reckon(device, month, row, period, region)
    basis: Basis = "estimated" if estimated else "manual" if row.manual or not device.key else "measured"
    return MonthFigure(
        device.device, device.methodology, month, kilograms, basis, missing, settled, row.covered, row.expected,
        row.quarantined,
    )  # fmt: skip


def _reckon(
    device: DeviceRow, month: str, row: DeviceMonthRow, period: PeriodRow | None, region: str
) -> tuple[Fraction | None, str, bool]:
    """Kilograms, what is missing for them, and whether they rest on an estimate."""
    amounts = MonthRow(row.totals, row.covered, row.expected, row.quarantined, tuple(row.estimated), tuple(row.manual))
    version, where = (period.table, period.region) if period is not None else (LATEST_TABLE, region)
    factors = table(version).factors(fiscal_year_of_month(month), where)
    try:
        reduced = month_reduction(METHODOLOGIES[device.methodology], factors, device.parameters, month, amounts)
    except Refused as refusal:  # no factor for the year yet: nothing can be said of the month
        return None, refusal.reason.code, False
    if reduced.missing:
        return None, reduced.missing, reduced.estimated
    return Fraction(reduced.reduction), "", reduced.estimated


# -- sums and charts ---------------------------------------------------------------------------------------------------


def total(figures: Iterable[MonthFigure], *, settled: bool | None = None) -> Fraction:
    """Exact kilograms; `settled`: of settled months only, or of the others only."""
    counted = (f.kilograms for f in figures if f.kilograms is not None and settled in (None, f.settled))
    return sum(counted, Fraction(0))


def by_year(figures: Iterable[MonthFigure]) -> dict[tuple[int, str], Fraction]:
    """(fiscal year, methodology) -> exact kilograms, the latest year first."""
    found: dict[tuple[int, str], Fraction] = defaultdict(Fraction)
    for figure in figures:
        if figure.kilograms is not None:
            found[fiscal_year_of_month(figure.month), figure.methodology] += figure.kilograms
    return dict(sorted(found.items(), key=lambda item: (-item[0][0], item[0][1])))


def months_chart(visit: Visit, figures: Sequence[MonthFigure], title: str) -> Chart:
    """Kilograms by month, a series for each basis: what was measured stands apart from what was typed or estimated."""
    last = max((f.month for f in figures), default="")
    months = months_between(month_after(last, 1 - CHART_MONTHS), last) if last else ()
    months = tuple(m for m in months if m >= min(f.month for f in figures))
    sums: Mapping[tuple[str, Basis], Fraction] = _sums(figures)
    bases = [basis for basis in BASES if any((month, basis) in sums for month in months)] or [BASES[0]]
    rows = tuple(
        (f"{m[2:4]}/{m[5:]}", tuple(max(0, int(sums.get((m, basis), Fraction(0)))) for basis in bases)) for m in months
    )
    return Chart(title, visit.t("mine.month"), tuple(visit.t(f"basis.{basis}") for basis in bases), rows, unit="kg")


def _sums(figures: Iterable[MonthFigure]) -> Mapping[tuple[str, Basis], Fraction]:
    sums: dict[tuple[str, Basis], Fraction] = defaultdict(Fraction)
    for figure in figures:
        if figure.kilograms is not None:
            sums[figure.month, figure.basis] += figure.kilograms
    return sums
