"""The page from which a settled period is exported: for everybody who may read, and with names for officers (E5a)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiohttp import web
from sqlalchemy.orm import Session

from apps.common.access_log import note_view
from apps.common.chain import ChainUnavailable
from apps.common.web import Kit, View, Visit
from apps.ecopoints.books.looking import own_period
from apps.ecopoints.export import archive
from apps.ecopoints.export.committee import committee_lists
from apps.ecopoints.export.gathering import Gathered, gather
from apps.ecopoints.home import methodology_title
from apps.ecopoints.signing import OFFICERS, READERS
from apps.ecopoints.tables import PeriodRow
from ledger.refusal import Text

ZIP_TYPE = "application/zip"


async def show_export(visit: Visit) -> web.StreamResponse:
    period = await _settled(visit)
    return visit.render(
        "ecopoints/books/export.html", period=period, title=methodology_title(visit, period.methodology)
    )


async def _settled(visit: Visit) -> PeriodRow:
    period = await own_period(visit)
    if period.status not in ("settled", "certified"):
        raise web.HTTPNotFound
    return period


async def download_export(visit: Visit) -> web.StreamResponse:
    period = await _settled(visit)
    return visit.download(await made(visit.kit, period.period), f"{file_name(period.period)}.zip", ZIP_TYPE)


async def download_for_committee(visit: Visit) -> web.StreamResponse:
    """With the members' names; that it was looked at is recorded on the chain (X5)."""
    period = await _settled(visit)
    await note_view(visit, "committee_list", period.period)
    data = await made(visit.kit, period.period, committee_lists)
    return visit.download(data, f"{file_name(period.period)}-committee.zip", ZIP_TYPE)


People = Callable[[Session, Gathered], Mapping[str, bytes]]
"""The files with personal data that an export gets, made of the application's own tables."""


def _nobody(session: Session, found: Gathered) -> Mapping[str, bytes]:
    return {}


async def made(kit: Kit, period: str, people: People = _nobody) -> bytes:
    """The ZIP for a page: 503 while no node answers."""
    try:
        return await packed(kit, period, people)
    except ChainUnavailable:
        raise web.HTTPServiceUnavailable from None


async def packed(kit: Kit, period: str, people: People = _nobody) -> bytes:
    """The ZIP of a period."""
    found = await gather(kit, period)
    listed = await kit.database.read(lambda session: people(session, found))
    code = found.period.municipality
    name = kit.catalogue.texts.get(f"municipality.{code}", Text(code, code))
    return await asyncio.to_thread(archive.pack, found, name, listed)


def file_name(period: str) -> str:
    return f"j-credit-{period}"


PAGES = (
    View("export", "/periods/{period}/export", show_export, READERS),
    View("export_zip", "/periods/{period}/export.zip", download_export, READERS),
    View("export_committee", "/periods/{period}/committee.zip", download_for_committee, OFFICERS),
)
