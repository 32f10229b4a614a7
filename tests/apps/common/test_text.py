"""Texts: both languages, every key, the visitor's choice of language, dates and numbers as people write them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from apps.common import language
from apps.common.text import BadCatalogue, Catalogue
from tests.apps.common import checks
from tests.apps.common.example import application as example


def test_every_text_that_the_kit_and_the_example_use_is_there() -> None:
    catalogue = Catalogue.load(example.HERE / "catalogue.toml")
    kit = Path(language.__file__).parent
    assert checks.catalogue_gaps(example.make_site(), catalogue, kit, example.HERE) == set()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('[a]\nb = { ja = "あ" }', "a.b"),
        ('[a]\nb = { ja = "あ", en = "" }', "a.b"),
        ('[a]\nb = { ja = "{x}", en = "{y}" }', "a.b"),
        ('[a]\nb = "あ"', "a.b"),
    ],
)
def test_a_text_that_one_language_lacks_stops_the_start(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BadCatalogue, match=named):
        Catalogue.load(file)


def test_an_application_improves_on_a_sentence_of_the_kit(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text('[sign_in]\ntitle = { ja = "入る", en = "Enter" }', encoding="utf-8")
    assert Catalogue.load(file).text("ja", "sign_in.title") == "入る"
    assert Catalogue.load().text("ja", "sign_in.title") == "ログイン"


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "chosen"),
    [
        (None, None, None, "ja"),
        (None, None, "en-GB,en;q=0.8", "en"),
        (None, None, "fr, en;q=0.3, ja;q=0.9", "ja"),
        (None, None, "de", "ja"),
        (None, "ja", "en", "ja"),
        ("en", "ja", "ja", "en"),
        ("xx", None, None, "ja"),
        (None, None, "en;q=nonsense", "ja"),
    ],
)
def test_the_visitors_choice_comes_before_the_browsers(
    query: str | None, cookie: str | None, accept: str | None, chosen: str
) -> None:
    assert language.choose_language(query=query, cookie=cookie, accept=accept) == chosen


def test_times_are_shown_in_japan_time() -> None:
    assert language.show_time(1_775_001_899_000, "ja") == "2026年4月1日(水) 09:04"
    assert language.show_time(1_775_001_899_000, "en") == "Wed 1 Apr 2026, 09:04 JST"
    assert language.show_number(1234567) == "1,234,567"


def test_a_day_begins_at_midnight_in_japan() -> None:
    start = language.day_start_ms(date(2026, 4, 1))
    assert language.jst(start).isoformat() == "2026-04-01T00:00:00+09:00"
    assert language.jst(start - 1).date() == date(2026, 3, 31)
