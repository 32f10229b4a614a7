"""A statement on paper, with its sums by day, and as a table of every line (E7b)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from functools import partial

from aiohttp import web
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer, Table, TableStyle
from sqlalchemy import select
from sqlalchemy.orm import Session

from apps.common import pdf, sheets
from apps.common.language import jst, show_date, show_number, show_time
from apps.common.web import Page, View, Visit
from apps.points.statements import Seen, known_statement, lines_of
from apps.points.tables import LineRow
from apps.points.use import Use

MAX_LINES = 20_000
"""Of one file; a shop with more between two statements closes them more often."""
DAY_COLUMNS = (("day", 60), ("received", 40), ("given_back", 40), ("carried", 40))


async def _lines(use: Use, visit: Visit) -> tuple[Seen, Sequence[LineRow]]:
    seen = await known_statement(use, visit)

    def look(session: Session) -> Sequence[LineRow]:
        first, last = lines_of(session, seen.row)
        rows = select(LineRow).where(LineRow.shop == seen.row.shop, LineRow.position > first, LineRow.position < last)
        return session.scalars(rows.order_by(LineRow.position).limit(MAX_LINES)).all()

    return seen, await visit.kit.database.read(look)


async def download_csv(use: Use, visit: Visit) -> web.StreamResponse:
    seen, lines = await _lines(use, visit)
    heading = [visit.t(f"points_statement.{name}") for name in ("when", "what", "points", "about")]
    rows = [(jst(line.at_ms), visit.t(f"entry.{line.kind}"), line.points, line.about) for line in lines]
    data = sheets.write_csv(heading, rows)
    return visit.download(data, f"{seen.row.statement}.csv", "text/csv")


def by_day(lines: Sequence[LineRow]) -> dict[date, dict[str, int]]:
    """What was received, given back and carried over from a statement that was sent back, on each day."""
    found: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        found[jst(line.at_ms).date()][line.kind] += line.points
    return found


async def download_pdf(use: Use, visit: Visit) -> web.StreamResponse:
    seen, lines = await _lines(use, visit)
    return visit.download(_print(visit, seen, lines), f"{seen.row.statement}.pdf", "application/pdf")


def _print(visit: Visit, seen: Seen, lines: Sequence[LineRow]) -> bytes:
    statement, title = seen.row, visit.t("points_statement.title")
    facts = [
        ("number", statement.statement),
        ("shop", seen.shop),
        ("points", show_number(statement.points)),
        ("closed", show_time(statement.closed_ms, visit.language)),
        ("state", visit.t(f"statement_state.{statement.status}")),
        ("approved_by", seen.officers.get(statement.approved_by, statement.approved_by)),
        ("paid_by", seen.officers.get(statement.paid_by, statement.paid_by)),
    ]
    days = [
        [show_date(day, visit.language), *(show_number(sums[kind]) for kind in ("received", "given_back", "unsettled"))]
        for day, sums in by_day(lines).items()
    ]
    heading = [visit.t(f"points_statement.{name}") for name, _ in DAY_COLUMNS]
    total = [visit.t("points_statement.total"), "", "", show_number(statement.points)]
    parts: list[Flowable] = [
        pdf.paragraph(title, size=16, bold=True),
        _table([[visit.t(f"points_statement.{name}"), value] for name, value in facts if value], (60, 120)),
        Spacer(1, 6 * mm),
        _table([heading, *days, total], tuple(width for _, width in DAY_COLUMNS), amounts_from=1),
        Spacer(1, 4 * mm),
        pdf.paragraph(visit.t("points_statement.story_at", url=visit.kit.url("story", subject=_subject(seen))), size=9),
    ]
    return pdf.document(f"{title} {statement.statement}", parts, language=visit.language)


def _subject(seen: Seen) -> str:
    return f"statement:{seen.row.statement}"


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int], *, amounts_from: int | None = None) -> Table:
    pdf.load_fonts()
    style = TableStyle([
        ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
        ("FONT", (0, 0), (-1, -1), pdf.REGULAR, 10),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ])  # fmt: skip
    if amounts_from is not None:
        style.add("ALIGN", (amounts_from, 0), (-1, -1), "RIGHT")
        style.add("FONT", (0, 0), (-1, 0), pdf.BOLD, 10)
        style.add("FONT", (0, -1), (-1, -1), pdf.BOLD, 10)
    return Table(
        [list(row) for row in rows], colWidths=[width * mm for width in widths], style=style,
        repeatRows=0 if amounts_from is None else 1,
    )  # fmt: skip


def pages(use: Use) -> tuple[Page, ...]:
    seeing = use.shops | use.municipal
    base = "/points/statements/{statement}"
    return (
        View("points_statement_csv", f"{base}/lines.csv", partial(download_csv, use), seeing),
        View("points_statement_pdf", f"{base}/statement.pdf", partial(download_pdf, use), seeing),
    )
