"""An export read back: what is in the ZIP, its tables by their keys, its proofs. Nothing in it is trusted."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.common.sheets import FORMULA_STARTS
from apps.ecopoints.export.archive import FORMAT, MANIFEST
from apps.ecopoints.export.tables import TABLES
from ledger.crypto import sha256

MAX_FILES = 50_000
MAX_UNPACKED_BYTES = 1_000_000_000

Line = Mapping[str, str]
"""A row of a table, by the keys of its columns."""


class Unreadable(Exception):
    """The file is no export at all: `str` says why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, with the file in the ZIP that it was found in."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class Export:
    """The files of an export, and what its manifest says."""

    files: Mapping[str, bytes]
    manifest: Mapping[str, object]

    def said(self, key: str) -> str:
        """A line of the manifest; empty if it is not there."""
        value = self.manifest.get(key)
        return value if isinstance(value, str) else ""


def read_export(data: bytes) -> Export:
    """`Unreadable` unless it is a ZIP with a manifest of the format."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
                raise Unreadable("the file is too large")
            files = {entry.filename: archive.read(entry) for entry in entries}
        if len(files) != len(entries):
            raise Unreadable("a name stands twice in the ZIP")
        manifest = json.loads(files[MANIFEST])
    except KeyError:
        raise Unreadable(f"it has no {MANIFEST}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise Unreadable(f"it cannot be read: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Unreadable(f"it is not of the form {FORMAT}")
    return Export(files, manifest)


def hash_faults(export: Export) -> list[Fault]:
    """Files that are not as the manifest has them, are missing, or are not in it."""
    listed = export.manifest.get("files")
    if not isinstance(listed, dict):
        return [Fault(MANIFEST, "it lists no files")]
    faults = [Fault(name, "it is missing") for name in sorted(listed) if name not in export.files]
    for name, data in sorted(export.files.items()):
        if name == MANIFEST:
            continue
        entry = listed.get(name)
        if not isinstance(entry, dict):
            faults.append(Fault(name, "the manifest does not list it"))
        elif entry != {"sha256": sha256(data).hex(), "bytes": len(data)}:
            faults.append(Fault(name, "its SHA-256 is not the one in the manifest"))
    return faults


def lines_of(export: Export, table: str) -> Sequence[Line]:
    """The rows of a table. `Unreadable` names the file if it is missing or has other columns."""
    name = f"{table}.csv"
    if name not in export.files:
        raise Unreadable(f"{name} is missing")
    try:
        rows = list(csv.reader(io.StringIO(export.files[name].decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"{name} cannot be read: {error}") from None
    columns = list(TABLES[table])
    if not rows or rows[0] != columns or any(len(row) != len(columns) for row in rows):
        raise Unreadable(f"{name} does not have the columns {', '.join(columns)}")
    return [dict(zip(columns, map(plain, row), strict=True)) for row in rows[1:]]


def plain(cell: str) -> str:
    """A cell without the apostrophe that keeps spreadsheet programs from taking it for a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA_STARTS) else cell
