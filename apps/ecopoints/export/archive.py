"""The ZIP of an export: tables, workbook, proofs, and a manifest with the hash of each; the same content, the same ZIP.

All times in it are that of the closing of the period, and its entries stand in the order of their names. The bytes also
hang on the machine's compression library; the hashes in the manifest are those of what is inside.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

from apps.common import sheets
from apps.common.language import jst
from apps.ecopoints.export.gathering import Gathered
from apps.ecopoints.export.tables import SHEETS, TABLES, Rows, proof_name, rows_of
from ledger.crypto import sha256
from ledger.refusal import Text

FORMAT = "daicho/j-credit-export/1"
MANIFEST, WORKBOOK, PERIOD_PROOF, READ_ME = "manifest.json", "export.xlsx", "proofs/period.json", "README.txt"
COMMITTEE_MEMBERS, COMMITTEE_DEVICES = "committee/members.csv", "committee/devices.csv"
"""Personal data: in the export that an officer downloads for the committee, and in no other."""
PLAIN_FILE = 0o644 << 16
UNIX = 3

READ_ME_TEXT = """\
J-クレジット モニタリング報告 / Monitoring report for J-Credits

*.csv           表(UTF-8)。1 行目は列の名前(英字)。*_exact は端数のない分数、*_kg は読むためのグラム単位の値。
                Tables. *_exact are exact fractions, *_kg the same to a gram, for reading.
export.xlsx     同じ表を 1 つの表計算ファイルにまとめたもの。 The same tables as one workbook.
proofs/         台帳の証明。一つずつ確かめることもできます: daicho check-proof FILE --genesis GENESIS
                Proofs from the ledger, which can also be checked one by one.
manifest.json   すべてのファイルの SHA-256。 The SHA-256 of every file.
committee/      会員の氏名など(委員会提出用のみ)。取扱いに注意してください。
                Names of members (only in the file for the committee). Please handle with care.

この ZIP 全体の確認 / To check all of this ZIP, offline:
    daicho ecopoints check-export FILE.zip --genesis GENESIS
"""


def pack(found: Gathered, municipality: Text, committee: Mapping[str, bytes]) -> bytes:
    """The ZIP. `committee`: files with personal data to put in, if it is for the committee."""
    rows = rows_of(found, municipality)
    files = {f"{name}.csv": sheets.write_csv(list(TABLES[name]), rows[name]) for name in TABLES}
    files[WORKBOOK] = _workbook(rows, found.closed_ms)
    files[READ_ME] = READ_ME_TEXT.encode()
    files[PERIOD_PROOF] = found.period_proof
    files |= {proof_name(proof.transaction_id): proof.data for proof in found.proofs}
    files |= committee
    return zipped({**files, MANIFEST: _manifest(found, files)}, found.closed_ms)


def _workbook(rows: Mapping[str, Rows], made_ms: int) -> bytes:
    return sheets.write_xlsx(
        {SHEETS[name]: (list(TABLES[name].values()), rows[name]) for name in TABLES}, made_ms
    )  # fmt: skip


def _manifest(found: Gathered, files: Mapping[str, bytes]) -> bytes:
    period = found.period
    manifest = {
        "format": FORMAT,
        "chain_id": found.chain_id.hex(),
        "municipality": period.municipality,
        "period": period.period,
        "methodology": period.methodology,
        "methodology_version": period.methodology_version,
        "factor_table": period.table,
        "factor_table_digest": period.table_digest.hex(),
        "files": {name: {"sha256": sha256(data).hex(), "bytes": len(data)} for name, data in sorted(files.items())},
    }
    return json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"


def zipped(files: Mapping[str, bytes], moment_ms: int) -> bytes:
    """Entries by name, each with the same time and the same rights."""
    moment = jst(moment_ms)
    stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, UNIX, PLAIN_FILE
            archive.writestr(entry, data)
    return out.getvalue()
