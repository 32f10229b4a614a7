"""QR codes: drawn as SVG for pages and PDF, as PNG for mails and downloads, and read back from a photo."""

from __future__ import annotations

import io

import qrcode
import zxingcpp
from markupsafe import Markup, escape
from PIL import Image, ImageOps, UnidentifiedImageError
from qrcode.constants import ERROR_CORRECT_M

QUIET_MODULES = 4
"""The white border that the standard (ISO/IEC 18004) asks for."""
MAX_PIXELS = 60_000_000
WORKING_EDGE = 2_000
"""Photos are reduced to this many pixels on their longer edge: enough for a code that fills a tenth of it."""


def matrix(content: str) -> list[list[bool]]:
    """The dark modules of the code with its quiet border; error correction M (15 %)."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_MODULES)
    code.add_data(content)
    code.make(fit=True)
    return [list(row) for row in code.get_matrix()]


def svg(content: str, label: str) -> Markup:
    """The code as an SVG that scales; `label` is what a screen reader says."""
    rows = matrix(content)
    size = len(rows)
    path = "".join(f"M{x} {y}h{length}v1h-{length}z" for y, row in enumerate(rows) for x, length in _runs(row))
    return Markup(
        f'<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" role="img" '
        f'aria-label="{escape(label)}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
    )


def _runs(row: list[bool]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif dark:
            runs.append((x, 1))
    return runs


def png(content: str, module_pixels: int = 8) -> bytes:
    """The code as a PNG file."""
    rows = matrix(content)
    image = Image.new("1", (len(rows), len(rows)), 1)
    image.putdata([0 if dark else 1 for row in rows for dark in row])
    out = io.BytesIO()
    image.resize((len(rows) * module_pixels,) * 2, Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def read_photo(data: bytes) -> list[str]:
    """The texts of all QR codes in a photo (JPEG, PNG, WebP …), turned any way; empty if there is none or no photo."""
    try:
        with Image.open(io.BytesIO(data)) as photo:
            if photo.width * photo.height > MAX_PIXELS:
                return []
            photo.draft("L", (WORKING_EDGE, WORKING_EDGE))
            grey = ImageOps.exif_transpose(photo).convert("L")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return []
    for edge in (WORKING_EDGE, WORKING_EDGE // 2):
        small = grey.copy()
        small.thumbnail((edge, edge))
        found = zxingcpp.read_barcodes(small, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
        texts = [code.text for code in found if code.text]
        if texts:
            return texts
    return []
