"""PDF with a Japanese font embedded, its text searchable and readable aloud. Pages are drawn with ReportLab.

The font is BIZ UDGothic, a universal design face made to be read easily (Debian: fonts-morisawa-bizud-gothic, SIL Open
Font License), or IPAex Gothic.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate

from apps.common import qr

REGULAR = "Daicho"
BOLD = "Daicho-Bold"
MARGIN = 15 * mm
FONTS = (
    (
        Path("/usr/share/fonts/truetype/bizud-gothic/BIZUDPGothic-Regular.ttf"),
        Path("/usr/share/fonts/truetype/bizud-gothic/BIZUDPGothic-Bold.ttf"),
    ),
    (Path("/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf"),) * 2,
)


class MissingFont(Exception):
    """No Japanese font that a PDF can embed."""

    def __init__(self) -> None:
        super().__init__(
            "no Japanese font for PDF files was found. Remedy on Debian: apt-get install fonts-morisawa-bizud-gothic"
        )


@lru_cache(maxsize=1)
def load_fonts() -> None:
    """Make the fonts known; `MissingFont` tells what to install. An application that prints calls it when it starts."""
    for regular, bold in FONTS:
        if regular.exists() and bold.exists():
            pdfmetrics.registerFont(TTFont(REGULAR, str(regular)))
            pdfmetrics.registerFont(TTFont(BOLD, str(bold)))
            pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
            return
    raise MissingFont


def style(size: float = 10.5, *, bold: bool = False, space_after: float = 2 * mm) -> ParagraphStyle:
    """A paragraph style that breaks lines as Japanese does."""
    return ParagraphStyle(
        f"daicho-{size}-{bold}",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.6,
        wordWrap="CJK",
        alignment=TA_LEFT,
        spaceAfter=space_after,
    )


def document(title: str, parts: Sequence[Flowable], *, language: str = "ja", author: str = "") -> bytes:
    """A document of flowing parts on A4, black on white, with page numbers; the same parts give the same bytes."""
    load_fonts()
    out = io.BytesIO()
    template = SimpleDocTemplate(
        out, pagesize=A4, title=title, author=author, lang=language, invariant=1,
        leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
    )  # fmt: skip
    template.build(list(parts), onFirstPage=_number, onLaterPages=_number)
    return out.getvalue()


def _number(canvas: Canvas, template: SimpleDocTemplate) -> None:
    canvas.saveState()
    canvas.setFont(REGULAR, 9)
    canvas.drawCentredString(A4[0] / 2, 8 * mm, str(template.page))
    canvas.restoreState()


def new_canvas(out: io.BytesIO, title: str, language: str = "ja") -> Canvas:
    """A canvas for pages of an exact layout (labels): the author places everything in points from the lower left."""
    load_fonts()
    canvas = Canvas(out, pagesize=A4, invariant=1, lang=language)
    canvas.setTitle(title)
    return canvas


def paragraph(text: str, *, size: float = 10.5, bold: bool = False) -> Paragraph:
    """A paragraph of plain text: what looks like markup in it stays text."""
    load_fonts()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br/>")
    return Paragraph(escaped, style(size, bold=bold))


def draw_text(canvas: Canvas, text: str, x: float, y: float, width: float, *, size: float, bold: bool = False) -> float:
    """Text from its upper left corner, wrapped at `width`; the y below it."""
    part = paragraph(text, size=size, bold=bold)
    _, height = part.wrap(width, A4[1])
    part.drawOn(canvas, x, y - height)
    return y - height


def draw_qr(canvas: Canvas, content: str, x: float, y: float, edge: float) -> None:
    """A QR code with its quiet border as a square of `edge` points, its lower left corner at (x, y)."""
    rows = qr.matrix(content)
    module = edge / len(rows)
    path = canvas.beginPath()
    for row_number, row in enumerate(rows):
        for column, dark in enumerate(row):
            if dark:
                path.rect(x + column * module, y + edge - (row_number + 1) * module, module, module)
    canvas.setFillGray(0)
    canvas.drawPath(path, stroke=0, fill=1)
