"""Forms read what people type as people type it, and say of each field what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from apps.common import forms
from apps.common.forms import Option
from apps.common.language import JST


@dataclass(frozen=True)
class Everything:
    line: str = forms.text(required=False, max_length=5)
    mail: str = forms.email(required=False)
    count: int | None = forms.optional_number(minimum=1, maximum=100)
    on: date | None = forms.optional_day()
    at: datetime | None = forms.optional_moment()
    one: str = forms.choice(required=False)
    many: tuple[str, ...] = forms.several()
    yes: bool = forms.tick()


OPTIONS = {"one": [Option("a", "A"), Option("b", "B")], "many": [Option("x", "X"), Option("y", "Y")]}


def read(**typed: str) -> forms.Parsed[Everything]:
    return forms.parse(Everything, MultiDict(typed), OPTIONS)


@pytest.mark.parametrize(
    ("typed", "number"), [("12", 12), ("１２", 12), (" 1 ", 1), ("", None), ("1,0", 10), ("100", 100)]
)
def test_numbers_are_read_as_people_type_them(typed: str, number: int | None) -> None:
    parsed = read(count=typed)
    assert parsed.value is not None and parsed.value.count == number


@pytest.mark.parametrize(
    ("field", "typed", "problem"),
    [
        ("count", "abc", "form.not_a_number"),
        ("count", "1.5", "form.not_a_number"),
        ("count", "0", "form.too_small"),
        ("count", "101", "form.too_large"),
        ("count", "9" * 30, "form.not_a_number"),
        ("line", "123456", "form.too_long"),
        ("line", "a\x00b", "form.control_characters"),
        ("mail", "nobody", "form.not_an_email"),
        ("mail", "a@b", "form.not_an_email"),
        ("mail", "a@b.jp\r\nBcc: x@y.jp", "form.not_an_email"),
        ("on", "2026-02-30", "form.not_a_date"),
        ("at", "2026-02-01", "form.not_a_moment"),
        ("one", "c", "form.choose"),
        ("many", "z", "form.choose"),
    ],
)
def test_each_wrong_field_has_its_own_problem_and_keeps_what_was_typed(field: str, typed: str, problem: str) -> None:
    parsed = read(**{field: typed})
    assert parsed.value is None
    assert {name: p.key for name, p in parsed.problems.items()} == {field: problem}
    assert parsed.typed[field] == (typed,)


def test_dates_are_days_and_moments_of_japan() -> None:
    parsed = read(on="2026/4/1", at="2026-04-01T09:05")
    assert parsed.value is not None
    assert parsed.value.on == date(2026, 4, 1)
    assert parsed.value.at == datetime(2026, 4, 1, 9, 5, tzinfo=JST)


def test_what_was_there_fills_the_form_in_again() -> None:
    value = Everything(
        "あ", "a@b.jp", 3, date(2026, 4, 1), datetime(2026, 4, 1, 9, 5, tzinfo=JST), "a", ("x", "y"), True
    )
    typed = forms.typed_from(value)
    posted = MultiDict((name, entry) for name, entries in typed.items() for entry in entries)
    assert forms.parse(Everything, posted, OPTIONS).value == value


@given(
    st.dictionaries(st.sampled_from(["line", "mail", "count", "on", "at", "one", "many", "yes"]), st.text(max_size=40))
)
def test_whatever_is_sent_is_read_or_refused_and_never_an_error(typed: dict[str, str]) -> None:
    parsed = read(**typed)
    assert (parsed.value is None) == bool(parsed.problems)


def test_passwords_are_never_given_back() -> None:
    @dataclass(frozen=True)
    class Secret:
        password: str = forms.password(new=True)

    parsed = forms.parse(Secret, MultiDict({"password": "short"}), {})
    assert parsed.problems["password"].key == "form.password_too_short"
    assert parsed.typed["password"] == ()
