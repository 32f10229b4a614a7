"""D6e, D9b: the labels of a request as a PDF, one a box, eight on a sheet of A4, black on white."""

from __future__ import annotations

import io
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from apps.common import pdf
from apps.common.codes import grouped
from apps.common.text import Catalogue
from ledger.refusal import Language

COLUMNS, ROWS = 2, 4
MARGIN = 10 * mm
QR_EDGE = 36 * mm
PAD = 4 * mm


@dataclass(frozen=True, slots=True)
class Label:
    code: str
    address: str
    """What the QR code holds: the page of the box."""
    number: int
    boxes: int
    quantity: str


@dataclass(frozen=True, slots=True)
class Sheet:
    shelter: str
    municipality: str
    address: str
    item: str
    request: str
    labels: tuple[Label, ...]


def print_labels(sheet: Sheet, catalogue: Catalogue, language: Language) -> bytes:
    """The same labels give the same bytes."""
    out = io.BytesIO()
    canvas = pdf.new_canvas(out, f"{sheet.item} → {sheet.shelter}", language)
    width, height = (A4[0] - 2 * MARGIN) / COLUMNS, (A4[1] - 2 * MARGIN) / ROWS
    per_page = COLUMNS * ROWS
    for place, label in enumerate(sheet.labels):
        if place and place % per_page == 0:
            canvas.showPage()
        row, column = divmod(place % per_page, COLUMNS)
        x, y = MARGIN + column * width, A4[1] - MARGIN - (row + 1) * height
        _draw(canvas, sheet, label, x, y, width, height, catalogue, language)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw(
    canvas: Canvas, sheet: Sheet, label: Label, x: float, y: float, width: float, height: float, catalogue: Catalogue,
    language: Language,
) -> None:  # fmt: skip
    canvas.setStrokeGray(0.5)
    canvas.setDash(3, 3)
    canvas.rect(x, y, width, height)
    canvas.setDash()
    pdf.draw_qr(canvas, label.address, x + PAD, y + height - PAD - QR_EDGE, QR_EDGE)
    left, room = x + PAD + QR_EDGE + 2 * mm, width - QR_EDGE - 2 * PAD - 2 * mm
    top = y + height - PAD
    top = pdf.draw_text(canvas, f"{label.number} / {label.boxes}", left, top, room, size=18, bold=True)
    top = pdf.draw_text(canvas, sheet.item, left, top, room, size=11, bold=True)
    pdf.draw_text(canvas, label.quantity, left, top, room, size=14, bold=True)
    below, wide = y + height - PAD - QR_EDGE - 1 * mm, width - 2 * PAD
    below = pdf.draw_text(canvas, grouped(label.code), x + PAD, below, wide, size=11, bold=True)
    below = pdf.draw_text(canvas, f"{sheet.municipality} {sheet.shelter}", x + PAD, below, wide, size=10, bold=True)
    if sheet.address:
        below = pdf.draw_text(canvas, sheet.address, x + PAD, below, wide, size=8)
    pdf.draw_text(
        canvas, catalogue.text(language, "labels.note", {"request": sheet.request}), x + PAD, below, wide, size=7
    )
