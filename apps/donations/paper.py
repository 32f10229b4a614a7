"""Blank forms for when nothing works but a pencil, to be entered later with the time at which it happened."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer, Table, TableStyle

from apps.common import pdf
from apps.common.web import View, Visit
from apps.donations.signing import MUNICIPAL

Kind = Literal["needs", "arrivals"]
KINDS: tuple[Kind, ...] = ("needs", "arrivals")
COLUMNS: dict[Kind, tuple[tuple[str, int], ...]] = {
    "needs": (("when", 26), ("item", 50), ("size", 22), ("quantity", 20), ("priority", 22), ("note", 40)),
    "arrivals": (("when", 26), ("code", 60), ("item", 44), ("quantity", 22), ("reason", 28)),
}
"""Columns of a form with their widths in mm."""
BLANK_ROWS = 18


async def show_paper(visit: Visit) -> web.StreamResponse:
    return visit.render("donations/paper.html", kinds=KINDS)


async def download_paper(visit: Visit) -> web.StreamResponse:
    kind = next((k for k in KINDS if k == visit.part("kind")), None)
    if kind is None:
        raise web.HTTPNotFound
    return visit.download(print_form(visit, kind), f"{kind}-form.pdf", "application/pdf")


def print_form(visit: Visit, kind: Kind) -> bytes:
    pdf.load_fonts()
    heading = [pdf.paragraph(visit.t(f"paper.{name}"), size=9, bold=True) for name, _ in COLUMNS[kind]]
    table = Table(
        [heading, *[[""] * len(heading) for _ in range(BLANK_ROWS)]],
        colWidths=[width * mm for _, width in COLUMNS[kind]],
        rowHeights=[9 * mm, *[11 * mm] * BLANK_ROWS],
        repeatRows=1,
        style=TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]),
    )
    parts: list[Flowable] = [
        pdf.paragraph(visit.t(f"paper.{kind}_title"), size=16, bold=True),
        pdf.paragraph(visit.t("paper.fill_in"), size=9),
        pdf.paragraph(visit.t("paper.head"), size=11),
        Spacer(1, 2 * mm),
        table,
    ]
    return pdf.document(visit.t(f"paper.{kind}_title"), parts, language=visit.language)


PAGES = (
    View("paper", "/paper", show_paper, MUNICIPAL),
    View("paper_form", "/paper/{kind}.pdf", download_paper, MUNICIPAL),
)
