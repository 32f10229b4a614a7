"""Tables in and out: as spreadsheet programs write them, every wrong cell named, nothing that runs as a formula."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from apps.common import forms, sheets
from apps.common.forms import Option, Upload
from ledger.refusal import Refused

LABELS = {"name": ("名称", "Name"), "count": ("数量", "Quantity"), "kinds": ("種類", "Kinds")}
OPTIONS = {"kinds": [Option("bedding", "寝具"), Option("food", "食料")]}


@dataclass(frozen=True)
class Row:
    name: str = forms.text(max_length=10)
    count: int = forms.number(minimum=1, maximum=100)
    kinds: tuple[str, ...] = forms.several()


def labels(field: str) -> Sequence[str]:
    return LABELS[field]


def read(data: bytes) -> sheets.Imported[Row]:
    return sheets.import_table(Upload("x.csv", "text/csv", data), Row, labels, OPTIONS)


CSV = '名称,数量,種類\r\n毛布,12,寝具\r\n\r\n水,１００,"食料,bedding"\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_csv_is_read_as_it_comes(encoding: str) -> None:
    imported = read(CSV.encode(encoding))
    assert imported.problems == ()
    assert imported.rows == ((2, Row("毛布", 12, ("bedding",))), (4, Row("水", 100, ("food", "bedding"))))


def test_each_wrong_cell_is_named_by_row_and_column_and_the_right_rows_stay() -> None:
    imported = read("Name,Quantity\n毛布,0\nとても長い長い長い名前,x\n水,5\n".encode())
    assert [row for row, _ in imported.rows] == [4]
    assert [(p.row, p.column, p.problem.key) for p in imported.problems] == [
        (2, "数量", "form.too_small"),
        (3, "名称", "form.too_long"),
        (3, "数量", "form.not_a_number"),
    ]


def test_columns_may_stand_in_any_order_and_a_missing_one_is_named() -> None:
    assert read("数量,名称\n3,水\n".encode()).rows == ((2, Row("水", 3, ())),)
    with pytest.raises(Refused) as refused:
        read("名称\n水\n".encode())
    assert refused.value.params == {"column": "数量"}


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02", b"PK\x03\x04 not a zip", b"\xff\xfe\xfd"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        read(data)


def test_a_table_has_a_bound() -> None:
    with pytest.raises(Refused) as refused:
        read(("名称,数量\n" + "水,1\n" * (sheets.MAX_ROWS + 1)).encode())
    assert refused.value.reason is sheets.SheetReason.TOO_MANY_ROWS


@given(st.binary(max_size=300))
def test_whatever_is_uploaded_is_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except Refused:
        return


@pytest.mark.parametrize("cell", ["=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "＝1", '=HYPERLINK("http://x")'])
def test_nothing_that_goes_out_runs_as_a_formula_and_it_comes_back_as_it_was(cell: str) -> None:
    written = sheets.write_csv(["名称"], [[cell]])
    assert written.startswith(b"\xef\xbb\xbf")
    line = written.decode("utf-8-sig").split("\r\n")[1].lstrip('"')
    assert line.startswith("'")
    book = sheets.write_xlsx({"表": (["名称"], [[cell]])}, 1_775_000_000_000)
    shown = load_workbook(io.BytesIO(book)).worksheets[0]["A2"]
    assert shown.data_type == "s"
    assert sheets.read_rows(Upload("x.xlsx", "", book))[1] == [cell]


def test_numbers_stay_numbers() -> None:
    book = sheets.write_xlsx({"表": (["数量"], [[-5], [None]])}, 0)
    assert load_workbook(io.BytesIO(book)).worksheets[0]["A2"].value == -5


def test_a_workbook_made_again_is_the_same_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"表": (["名称", "数量"], [["毛布", 12]])}
    first = sheets.write_xlsx(content, 1_775_000_000_000)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert sheets.write_xlsx(content, 1_775_000_000_000) == first


def test_a_workbook_is_read_like_a_csv() -> None:
    book = sheets.write_xlsx({"表": (["名称", "数量", "種類"], [["毛布", 12, "寝具"]])}, 0)
    assert read(book).rows == ((2, Row("毛布", 12, ("bedding",))),)
