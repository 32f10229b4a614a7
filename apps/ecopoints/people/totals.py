"""What a municipality's members have saved: eco-cars, solar power, generators, by fiscal year (E4a)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common import sheets
from apps.common.language import jst
from apps.common.web import View, Visit
from apps.ecopoints.books.figures import show_kg
from apps.ecopoints.copy import own_writes
from apps.ecopoints.home import methodology_title, totals_by_methodology, totals_chart
from apps.ecopoints.signing import READERS
from apps.ecopoints.tables import DeviceMonthRow, DeviceRow, MemberRow
from contracts.ecopoints.methodology import METHODOLOGIES, month_after, month_of

COVERAGE_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Town:
    """The municipality's figures. `kilograms`: exact, of settled periods, by methodology and fiscal year."""

    kilograms: Mapping[str, Mapping[str, Fraction]]
    members: int
    devices: Mapping[str, int]
    coverage: int | None
    """Per cent of the intervals of the last twelve months that count."""
    quarantined: int

    @property
    def years(self) -> list[str]:
        return sorted({year for by_year in self.kilograms.values() for year in by_year}, reverse=True)


def town_of(session: Session, municipality: str, now_ms: int) -> Town:
    members = select(func.count()).where(MemberRow.municipality == municipality, MemberRow.left_ms.is_(None))
    devices = select(DeviceRow.methodology, func.count()).where(
        DeviceRow.municipality == municipality, DeviceRow.retired_ms.is_(None)
    )
    sums = select(
        func.sum(DeviceMonthRow.covered), func.sum(DeviceMonthRow.expected), func.sum(DeviceMonthRow.quarantined)
    ).join(DeviceRow, DeviceRow.device == DeviceMonthRow.device)
    recent = DeviceMonthRow.month >= month_after(month_of(now_ms), -COVERAGE_MONTHS)
    covered, expected, quarantined = session.execute(sums.where(DeviceRow.municipality == municipality, recent)).one()
    counted = {str(code): int(count) for code, count in session.execute(devices.group_by(DeviceRow.methodology))}
    return Town(
        totals_by_methodology(session, municipality), session.scalar(members) or 0, counted,
        int(covered) * 100 // int(expected) if expected else None, int(quarantined or 0),
    )  # fmt: skip


async def _town(visit: Visit) -> Town:
    await own_writes(visit)
    municipality = visit.signed_in.organisation
    return await visit.kit.database.read(lambda session: town_of(session, municipality, visit.now_ms))


async def show_totals(visit: Visit) -> web.StreamResponse:
    town = await _town(visit)
    kilograms = {code: dict(by_year) for code, by_year in town.kilograms.items()}
    return visit.render(
        "ecopoints/people/totals.html", town=town, chart=totals_chart(visit, kilograms), codes=list(METHODOLOGIES),
        title=lambda code: methodology_title(visit, code), kg=show_kg,
        total=lambda code: show_kg(sum(town.kilograms[code].values(), Fraction(0))),
    )  # fmt: skip


async def download_totals(visit: Visit) -> web.StreamResponse:
    """The same as CSV, with exact fractions beside the rounded figures."""
    town = await _town(visit)
    heading = [visit.t(f"totals.{name}") for name in ("methodology", "year", "kilograms", "exact")]
    rows = [
        [f"{code} {methodology_title(visit, code)}", year, show_kg(kg), str(kg)]
        for code, by_year in town.kilograms.items()
        for year, kg in sorted(by_year.items())
    ]
    data = sheets.write_csv(heading, rows)
    name = f"co2-{visit.signed_in.organisation}-{jst(visit.now_ms):%Y%m%d}.csv"
    return visit.download(data, name, sheets.CSV_TYPE)


PAGES = (
    View("totals", "/totals", show_totals, READERS),
    View("totals_csv", "/totals.csv", download_totals, READERS),
)
