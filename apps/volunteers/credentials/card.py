"""The certificate as a card to print and to carry (ISO/IEC 7810 ID-1), for who has no phone.

The card shows a number and where to ask about it; it proves nothing by itself, and says so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from apps.common import pdf
from apps.volunteers.credentials.certificate import TITLE, Certificate, Publisher
from apps.volunteers.credentials.showing import MAX_EDGE_MM, code_edge_mm, number_url
from apps.volunteers.credentials.times import write_stamp

WIDTH, HEIGHT = 85.6 * mm, 53.98 * mm
LEFT, TOP = 20 * mm, A4[1] - 25 * mm
PADDING = 4 * mm
MAX_SKILLS_SHOWN = 6
CHECK_JA = "このカードだけでは有効かどうかは分かりません。QRコードの番号で現在の状態を確認してください。"
CHECK_EN = "This card alone proves nothing: check the number by the QR code."
CUT_JA = "点線に沿って切り取ってください。紛失したときは市町村の窓口へ連絡してください。新しい番号で再発行します。"


@dataclass(frozen=True, slots=True)
class Face:
    """What is printed."""

    certificate: Certificate
    publisher: Publisher
    skills: Sequence[str]
    """As people call them, in Japanese."""


def print_card(face: Face) -> bytes:
    """A page with one card to cut out; the same face gives the same bytes. `Refused` if the address is too long."""
    out = io.BytesIO()
    canvas = pdf.new_canvas(out, f"{TITLE} {face.certificate.number}")
    _draw_outline(canvas)
    _draw_face(canvas, face)
    pdf.draw_text(canvas, CUT_JA, LEFT, TOP - HEIGHT - 6 * mm, A4[0] - 2 * LEFT, size=9)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw_outline(canvas: Canvas) -> None:
    canvas.saveState()
    canvas.setDash(2, 2)
    canvas.setLineWidth(0.5)
    canvas.rect(LEFT, TOP - HEIGHT, WIDTH, HEIGHT)
    canvas.restoreState()


def _draw_face(canvas: Canvas, face: Face) -> None:
    certificate = face.certificate
    url = number_url(face.publisher.base_url, certificate.number)
    code_edge_mm(url)  # refuses an address that is too long; drawn as large as the card has room for
    edge = MAX_EDGE_MM * mm
    left, inner = LEFT + PADDING, WIDTH - 2 * PADDING
    beside = inner - edge - 2 * mm
    y = pdf.draw_text(canvas, TITLE, left, TOP - 3 * mm, inner, size=10, bold=True)
    y = pdf.draw_text(canvas, face.publisher.name, left, y, inner, size=7.5)
    pdf.draw_qr(canvas, url, left + inner - edge, y - 1 * mm - edge, edge)
    if certificate.name:
        y = pdf.draw_text(canvas, certificate.name, left, y - 1 * mm, beside, size=11, bold=True)
    y = pdf.draw_text(canvas, f"番号 No. {certificate.number}", left, y - 1 * mm, beside, size=7.5)
    first, last = (write_stamp(t)[:10] for t in (certificate.valid_from_ms, certificate.valid_until_ms))
    y = pdf.draw_text(canvas, f"有効期間 Valid {first} – {last}", left, y, beside, size=6.5)
    pdf.draw_text(canvas, _skills(face.skills), left, y, beside, size=6.5)
    pdf.draw_text(canvas, f"{CHECK_JA}\n{CHECK_EN}", left, TOP - HEIGHT + 11 * mm, inner, size=5.5)


def _skills(skills: Sequence[str]) -> str:
    shown = "、".join(skills[:MAX_SKILLS_SHOWN])
    return f"できること {shown}{f' ほか{len(skills) - MAX_SKILLS_SHOWN}件' if len(skills) > MAX_SKILLS_SHOWN else ''}"
