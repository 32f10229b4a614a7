"""The start page: what the municipalities' members have saved, for everybody, and the way in for each."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from apps.common.charts import Chart
from apps.common.web import EVERYBODY, View, Visit
from apps.ecopoints.copy import own_writes
from apps.ecopoints.tables import DeviceRow, MemberRow, PeriodRow
from contracts.ecopoints.methodology import METHODOLOGIES


def totals_by_methodology(session: Session, municipality: str = "") -> dict[str, dict[str, Fraction]]:
    """E4a: exact kilograms of CO2 of all settled periods, by methodology and fiscal year."""
    query = select(PeriodRow).where(PeriodRow.status.in_(("settled", "certified")))
    if municipality:
        query = query.where(PeriodRow.municipality == municipality)
    found: dict[str, dict[str, Fraction]] = {code: defaultdict(Fraction) for code in METHODOLOGIES}
    for period in session.scalars(query):
        for year, sums in period.years.items():
            found[period.methodology][year] += Fraction(sums["reduction"])
    return found


def methodology_title(visit: Visit, code: str) -> str:
    title = METHODOLOGIES[code].title
    return title.ja if visit.language == "ja" else title.en


def totals_chart(visit: Visit, totals: dict[str, dict[str, Fraction]]) -> Chart:
    """Kilograms by fiscal year, a series for each methodology. A year below zero shows as none; the table says more."""
    years = sorted({year for by_year in totals.values() for year in by_year})
    codes = [code for code, by_year in totals.items() if by_year]
    rows = tuple(
        (visit.t("fiscal_year", year=year), tuple(max(0, int(totals[code].get(year, Fraction(0)))) for code in codes))
        for year in years
    )
    series = tuple(methodology_title(visit, code) for code in codes)
    return Chart(visit.t("home.reductions"), visit.t("home.year"), series, rows, unit="kg")


async def show_home(visit: Visit) -> web.StreamResponse:
    await own_writes(visit)

    def look(session: Session) -> tuple[dict[str, dict[str, Fraction]], int, int]:
        members = select(func.count()).select_from(MemberRow).where(MemberRow.left_ms.is_(None))
        devices = select(func.count()).select_from(DeviceRow).where(DeviceRow.retired_ms.is_(None))
        return totals_by_methodology(session), session.scalar(members) or 0, session.scalar(devices) or 0

    totals, members, devices = await visit.kit.database.read(look)
    kilograms = sum((kg for by_year in totals.values() for kg in by_year.values()), Fraction(0))
    return visit.render(
        "ecopoints/home.html", chart=totals_chart(visit, totals), kilograms=int(kilograms // 1), members=members,
        devices=devices,
    )  # fmt: skip


PAGES = (View("home", "/", show_home, EVERYBODY),)
