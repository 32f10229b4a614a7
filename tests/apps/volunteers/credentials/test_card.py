"""The printed card: its text is text, its code is read from the rendered page, and its size is that of a card."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from apps.common import qr
from apps.volunteers.credentials.card import Face, print_card
from apps.volunteers.credentials.showing import ShowingReason
from ledger.refusal import Refused
from tests.apps.volunteers.credentials.issuing import CERTIFICATE, HACHIOJI

FACE = Face(replace(CERTIFICATE, name="青木 花子"), HACHIOJI, ["花壇の手入れ", "ベトナム語の通訳"])


def words(data: bytes) -> str:
    return PdfReader(io.BytesIO(data)).pages[0].extract_text().replace("\n", "")


@pytest.mark.function("V5d")
def test_the_card_says_who_what_until_when_and_that_it_proves_nothing_alone() -> None:
    text = words(print_card(FACE))
    for expected in (
        "地域貢献活動実施者証明書",
        "八王子市",
        "青木 花子",
        "132012-000042",
        "2026-04-01 – 2027-03-31",
        "花壇の手入れ、ベトナム語の通訳",
        "このカードだけでは有効かどうかは分かりません",
    ):
        assert expected in text


def test_without_a_name_the_card_has_none() -> None:
    assert "青木" not in words(print_card(replace(FACE, certificate=CERTIFICATE)))


@pytest.mark.function("V5d")
def test_the_code_on_the_card_is_read_from_the_rendered_page(tmp_path: Path) -> None:
    file = tmp_path / "card.pdf"
    file.write_bytes(print_card(FACE))
    subprocess.run(["pdftoppm", "-r", "200", "-png", "-gray", str(file), str(tmp_path / "page")], check=True)
    (rendered,) = tmp_path.glob("page*.png")
    assert qr.read_photo(rendered.read_bytes()) == ["https://volunteers.example.lg.jp/c/132012-000042"]


def test_many_skills_are_counted_and_the_same_face_is_the_same_file() -> None:
    face = replace(FACE, skills=[f"技能{n}" for n in range(9)])
    assert "ほか3件" in words(print_card(face))
    assert print_card(face) == print_card(face)


def test_an_address_too_long_for_the_card_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        print_card(replace(FACE, publisher=replace(HACHIOJI, base_url="https://" + "a" * 80)))
    assert refused.value.reason is ShowingReason.TOO_LONG_FOR_CODE
