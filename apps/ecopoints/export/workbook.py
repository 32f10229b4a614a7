"""Whether the workbook of an export says what its tables say."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from apps.ecopoints.export.archive import WORKBOOK
from apps.ecopoints.export.reading import Export, Fault, Line, plain
from apps.ecopoints.export.tables import SHEETS, TABLES

NAMED = 5
"""Cells named of one sheet: whoever changes a sheet changes many."""


def workbook_faults(export: Export, tables: Mapping[str, Sequence[Line]]) -> list[Fault]:
    if WORKBOOK not in export.files:
        return [Fault(WORKBOOK, "it is missing")]
    try:
        book = load_workbook(io.BytesIO(export.files[WORKBOOK]), read_only=True, data_only=True)
        if book.sheetnames != list(SHEETS.values()):
            return [Fault(WORKBOOK, f"its sheets are not {', '.join(SHEETS.values())}")]
        faults: list[Fault] = []
        for name, title in SHEETS.items():
            rows = list(book[title].iter_rows(values_only=True))
            faults += [Fault(WORKBOOK, what) for what in _wrong(name, title, rows, tables[name])][:NAMED]
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, IndexError) as error:
        return [Fault(WORKBOOK, f"it cannot be read: {error}")]
    return faults


def _wrong(name: str, title: str, rows: Sequence[Sequence[object]], lines: Sequence[Line]) -> Iterator[str]:
    if not rows or list(rows[0]) != list(TABLES[name].values()):
        yield f"sheet {title}: its headings are not those of {name}.csv"
        return
    if len(rows) - 1 != len(lines):
        yield f"sheet {title}: {len(rows) - 1} rows, and {name}.csv has {len(lines)}"
    for number, (row, line) in enumerate(zip(rows[1:], lines, strict=False), start=2):
        for (key, said), cell in zip(line.items(), row, strict=False):
            if not _same(cell, said):
                yield f"sheet {title}, row {number}: {key} is {cell!r}, and in {name}.csv {said!r}"


def _same(cell: object, said: str) -> bool:
    match cell:
        case None:
            return said == ""
        case int() | float():
            return said != "" and Decimal(str(cell)) == Decimal(said)
        case _:
            return plain(str(cell)) == said
