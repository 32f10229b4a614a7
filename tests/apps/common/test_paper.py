"""QR codes and PDF: read back from what was drawn, Japanese text there as text, the font inside the file."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader
from reportlab.lib.units import mm

from apps.common import charts, pdf, qr

ADDRESS = "https://supplies.example.lg.jp/b/" + "k" * 43


def test_a_png_is_read_back() -> None:
    assert qr.read_photo(qr.png(ADDRESS)) == [ADDRESS]


@pytest.mark.function("D9i")
@pytest.mark.parametrize("angle", [0, 30, 90, 180])
def test_a_photo_is_read_whichever_way_it_was_held(angle: int) -> None:
    code = Image.open(io.BytesIO(qr.png(ADDRESS, 6))).convert("L")
    photo = Image.new("L", (3000, 2200), 200)
    photo.paste(code.rotate(angle, expand=True, fillcolor=255), (1200, 700))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=60)
    assert qr.read_photo(out.getvalue()) == [ADDRESS]


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_photo_has_no_code(data: bytes) -> None:
    assert qr.read_photo(data) == []


def test_a_picture_that_unpacks_to_too_much_is_not_unpacked() -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert qr.read_photo(out.getvalue()) == []


def test_the_svg_says_what_it_is_and_holds_no_style() -> None:
    drawn = qr.svg(ADDRESS, '箱 1/3 "毛布" <b>')
    assert 'role="img"' in drawn and "&lt;b&gt;" in drawn and "style" not in drawn


@pytest.mark.function("D6e", "D9b")
def test_a_label_is_read_back_from_the_rendered_page_and_its_japanese_text_is_text(tmp_path: Path) -> None:
    out = io.BytesIO()
    canvas = pdf.new_canvas(out, "送付ラベル")
    below = pdf.draw_text(
        canvas, "避難所:八王子市立第一小学校 & <体育館>", 20 * mm, 280 * mm, 120 * mm, size=14, bold=True
    )
    pdf.draw_qr(canvas, ADDRESS, 20 * mm, below - 45 * mm, 40 * mm)
    canvas.showPage()
    canvas.save()
    file = tmp_path / "label.pdf"
    file.write_bytes(out.getvalue())
    page = PdfReader(file).pages[0]
    assert "避難所:八王子市立第一小学校 & <体育館>" in page.extract_text().replace("\n", "")
    fonts = subprocess.run(["pdffonts", str(file)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in fonts.splitlines()[2:] if "Helvetica" not in line]
    assert rows and all("yes" in row for row in rows), fonts
    subprocess.run(["pdftoppm", "-r", "150", "-png", "-gray", str(file), str(tmp_path / "page")], check=True)
    (rendered,) = tmp_path.glob("page*.png")
    read = subprocess.run(["zbarimg", "-q", "--raw", str(rendered)], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == ADDRESS


def test_a_document_flows_over_pages_and_is_the_same_when_made_again() -> None:
    def make() -> bytes:
        return pdf.document("一覧", [pdf.paragraph(f"{n} 行目の文章です。" * 8) for n in range(60)])

    assert make() == make()
    reader = PdfReader(io.BytesIO(make()))
    assert len(reader.pages) > 1 and reader.metadata is not None and reader.metadata.title == "一覧"


def test_a_missing_font_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "FONTS", ())
    pdf.load_fonts.cache_clear()
    with pytest.raises(pdf.MissingFont, match="apt-get install"):
        pdf.load_fonts()
    pdf.load_fonts.cache_clear()


def test_charts_say_their_figures() -> None:
    chart = charts.Chart("充足", "避難所", ("到着", "不足"), (("第一小<学校>", (1200, 300)), ("第二小", (0, 0))), "個")
    drawn = charts.bars(chart)
    assert "1,500" in drawn and "&lt;" in drawn and 'role="img"' in drawn and "style=" not in drawn
    assert "1,200" not in charts.columns(charts.Chart("月", "月", ("数",), (), ""))
