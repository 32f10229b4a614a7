"""Tables in and out: CSV (UTF-8 with BOM, as spreadsheet programs like it; Shift_JIS is read too) and XLSX.

What comes in is checked row by row by the same field rules as a form, every wrong cell named by row and column. What
goes out cannot run as a formula in the program that opens it.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar

from aiohttp import web
from multidict import MultiDict
from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from apps.common import forms
from apps.common.forms import Options, Problem, Upload
from apps.common.language import JST, jst
from ledger.refusal import Reason, Refused, Text

MAX_ROWS = 5_000
MAX_COLUMNS = 60
MAX_CELL = 2_000
MAX_UNPACKED_BYTES = 60_000_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Full-width forms too: some programs take them alike."""
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV_TYPE = "text/csv"

YES = frozenset({"1", "yes", "y", "true", "はい", "有", "○"})
NO = frozenset({"", "0", "no", "n", "false", "いいえ", "無", "×", "-"})

Cell = str | int | Decimal | date | datetime | None
T = TypeVar("T")


class SheetReason(Reason):
    """Why a file cannot be read as a table at all."""

    NOT_A_TABLE = Text(
        "表として読めません。CSV(UTF-8 または Shift_JIS)か XLSX を選んでください",
        "this is not a table: please choose a CSV file (UTF-8 or Shift_JIS) or an XLSX file",
    )
    TOO_MANY_ROWS = Text("{limit} 行以内にしてください", "a table may have at most {limit} rows")
    MISSING_COLUMN = Text("列「{column}」がありません", 'the column "{column}" is missing')


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A wrong cell: the row as the spreadsheet numbers it (the heading is row 1), the column's label, what is wrong."""

    row: int
    column: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Imported(Generic[T]):
    """The rows that are right with their row numbers, and every wrong cell."""

    rows: tuple[tuple[int, T], ...]
    problems: tuple[CellProblem, ...]


def read_rows(upload: Upload) -> list[list[str]]:
    """The cells of a file as text, blank rows left out; `Refused(SheetReason)` if it is no table."""
    rows = _read_xlsx(upload.data) if upload.data[:2] == b"PK" else _read_csv(upload.data)
    if len(rows) > MAX_ROWS + 1:
        raise Refused(SheetReason.TOO_MANY_ROWS, limit=MAX_ROWS)
    return rows


def import_table(
    upload: Upload, form: type[T], labels: Callable[[str], Sequence[str]], options: Options
) -> Imported[T]:
    """The rows of a file, each read as `form`.

    `labels(field)` gives the headings under which a field may stand (first the one that problems are named by); a
    field's own name is always one of them.
    """
    rows = read_rows(upload)
    if not rows:
        raise Refused(SheetReason.NOT_A_TABLE)
    columns = _columns(rows[0], form, labels)
    good: list[tuple[int, T]] = []
    problems: list[CellProblem] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        parsed = forms.parse(form, _posted(row, columns, form, options), options)
        if parsed.value is not None:
            good.append((number, parsed.value))
        problems += [CellProblem(number, labels(name)[0], p) for name, p in parsed.problems.items()]
        problems += [CellProblem(number, labels(name)[0], p) for name, p in _wrong_ticks(row, columns, form)]
    return Imported(tuple(good), tuple(problems))


def _wrong_ticks(row: Sequence[str], columns: Mapping[str, int], form: type[object]) -> Iterator[tuple[str, Problem]]:
    """Cells that say neither yes nor no where a form has a box to tick."""
    for name, spec in forms.specs(form).items():
        if spec.kind == "tick" and _plain(_cell(row, columns.get(name))) not in YES | NO:
            yield name, Problem("form.yes_or_no")


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""


def _columns(heading: Sequence[str], form: type[object], labels: Callable[[str], Sequence[str]]) -> dict[str, int]:
    places = {_plain(label): place for place, label in reversed(list(enumerate(heading)))}
    found: dict[str, int] = {}
    for name, spec in forms.specs(form).items():
        place = next((places[_plain(label)] for label in (*labels(name), name) if _plain(label) in places), None)
        if place is not None:
            found[name] = place
        elif spec.required:
            raise Refused(SheetReason.MISSING_COLUMN, column=labels(name)[0])
    return found


def _plain(label: str) -> str:
    return "".join(label.split()).casefold()


def _posted(
    row: Sequence[str], columns: Mapping[str, int], form: type[object], options: Options
) -> MultiDict[str | web.FileField | bytes | bytearray]:
    posted: MultiDict[str | web.FileField | bytes | bytearray] = MultiDict()
    for name, spec in forms.specs(form).items():
        text = _cell(row, columns.get(name))
        if spec.kind == "tick":
            text = "1" if _plain(text) in YES else ""
        parts = text.replace("、", ",").split(",") if spec.kind == "several" else [text]
        by_label = {_plain(o.label): o.value for o in options.get(name, ())}
        for part in parts:
            if part.strip():
                posted.add(name, by_label.get(_plain(part), part.strip()))
    return posted


def _read_csv(data: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Refused(SheetReason.NOT_A_TABLE)
    if "\x00" in text:
        raise Refused(SheetReason.NOT_A_TABLE)
    try:
        return _bounded(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        raise Refused(SheetReason.NOT_A_TABLE) from None


def _read_xlsx(data: bytes) -> list[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise Refused(SheetReason.NOT_A_TABLE)
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        return _bounded(sheet.iter_rows(values_only=True, max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS))
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, IndexError):
        raise Refused(SheetReason.NOT_A_TABLE) from None


def _bounded(rows: Iterable[Sequence[object]]) -> list[list[str]]:
    read: list[list[str]] = []
    for row in rows:
        if len(read) > MAX_ROWS + 1:
            raise Refused(SheetReason.TOO_MANY_ROWS, limit=MAX_ROWS)
        cells = [_cell_text(cell)[:MAX_CELL] for cell in row[:MAX_COLUMNS]]
        while cells and not cells[-1]:
            cells.pop()
        read.append(cells)
    while read and not any(read[-1]):
        read.pop()
    return read


def _cell_text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case datetime() if (cell.hour, cell.minute, cell.second) == (0, 0, 0):
            return cell.date().isoformat()
        case datetime():
            return cell.strftime("%Y-%m-%d %H:%M")
        case float() if cell.is_integer():
            return str(int(cell))
        case str() if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS):
            return cell[1:]  # our own mark, put there by `harmless`
        case _:
            return str(cell)


def harmless(cell: str) -> str:
    """Text that a spreadsheet program would take for a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def write_csv(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """UTF-8 with BOM and CRLF, so that it opens right with a double click."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([harmless(h) for h in heading])
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def _written(cell: Cell) -> str | int | Decimal:
    match cell:
        case None:
            return ""
        case datetime():
            return cell.astimezone(JST).strftime("%Y-%m-%d %H:%M")
        case date():
            return cell.isoformat()
        case int() | Decimal():
            return cell
        case str():
            return harmless(cell)


def write_xlsx(sheets: Mapping[str, tuple[Sequence[str], Iterable[Sequence[Cell]]]], made_ms: int) -> bytes:
    """A workbook: sheet name -> heading and rows. The same content and `made_ms` give the same bytes."""
    book = Workbook(write_only=True)
    moment = jst(made_ms).replace(tzinfo=None)
    book.properties.created = book.properties.modified = moment
    book.properties.creator = "Daicho"
    for name, (heading, rows) in sheets.items():
        sheet = book.create_sheet(name[:31])
        sheet.freeze_panes = "A2"
        sheet.append([harmless(h) for h in heading])
        for row in rows:
            sheet.append([_written(cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return _with_fixed_times(out.getvalue(), moment)


def _with_fixed_times(data: bytes, moment: datetime) -> bytes:
    # The archive holds the time of writing in each entry, and the program's own idea of "modified": set both.
    stamp = (max(1980, moment.year), moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "docProps/core.xml":
                content = _fixed_properties(content, moment)
            fixed = zipfile.ZipInfo(entry.filename, stamp)
            fixed.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(fixed, content)
    return out.getvalue()


def _fixed_properties(content: bytes, moment: datetime) -> bytes:
    start, end = content.find(b"<dcterms:modified"), content.find(b"</dcterms:modified>")
    if start < 0 or end < 0:
        return content
    text = content.find(b">", start) + 1
    return content[:text] + moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode() + content[end:]
