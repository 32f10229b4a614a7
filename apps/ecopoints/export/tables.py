"""The tables of an export: the same rows as CSV, with keys for machines, and as XLSX, with headings for people.

Kilograms stand twice: `…_exact` is the fraction that everything is reckoned with, `…_kg` the same to a gram.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from apps.common.language import jst
from apps.common.sheets import Cell
from apps.ecopoints.books.figures import by_year, tonnes_of
from apps.ecopoints.export.gathering import Gathered, kilograms
from contracts.ecopoints.methodology import METHODOLOGIES, table
from contracts.ecopoints.types import Period
from ledger.refusal import Text

TABLES: Mapping[str, Mapping[str, str]] = {
    "plan": {"key": "項目", "label": "名称", "value": "値"},
    "totals": {
        "fiscal_year": "年度", "baseline_kg": "ベースライン排出量(kg)", "project_kg": "プロジェクト排出量(kg)",
        "reduction_kg": "削減量(kg)", "estimated_kg": "うち推定値による量(kg)", "counted_kg": "割引後の削減量(kg)",
        "tonnes": "申請量(トン、切り捨て)", "baseline_exact": "ベースライン排出量(分数)",
        "project_exact": "プロジェクト排出量(分数)", "reduction_exact": "削減量(分数)",
        "estimated_exact": "うち推定値による量(分数)",
    },
    "members": {
        "member": "会員(仮名)", "kind": "種別", "number": "参加の順", "joined": "参加日", "left": "退会日",
        "devices": "機器の台数", "reduction_kg": "削減量(kg)", "reduction_exact": "削減量(分数)",
    },
    "devices": {
        "device": "機器", "member": "会員(仮名)", "kind": "種別", "registered": "登録日", "retired": "廃止日",
        "parameters": "仕様", "months": "月数", "reduction_kg": "削減量(kg)", "reduction_exact": "削減量(分数)",
    },
    "months": {
        "device": "機器", "month": "月", "totals": "計測値(Wh・m・mL)", "covered": "算入した区間",
        "expected": "全区間", "quarantined": "保留の区間", "estimated": "推定の項目", "manual": "手入力の項目",
        "reduction_kg": "削減量(kg)", "baseline_exact": "ベースライン排出量(分数)",
        "project_exact": "プロジェクト排出量(分数)", "reduction_exact": "削減量(分数)", "missing": "欠けている値",
    },
    "factors": {
        "name": "名称", "value": "値", "unit": "単位", "source": "出典", "first_year": "適用年度(最初)",
        "last_year": "適用年度(最後)", "region": "地域",
    },
    "corrections": {
        "adjustment": "訂正", "recorded": "記録日時", "device": "機器", "member": "会員(仮名)",
        "difference_kg": "増減(kg)", "difference_exact": "増減(分数)", "points": "ポイントの増減",
        "after_certification": "認証後",
    },
    "proofs": {"file": "ファイル", "events": "内容", "block": "ブロック", "time": "日時"},
}  # fmt: skip
"""Name of a table -> its columns: key and heading. In one format a column keeps its place and its meaning."""

SHEETS: Mapping[str, str] = {
    "plan": "計画とモニタリング", "totals": "年度別合計", "members": "会員", "devices": "機器", "months": "月別",
    "factors": "排出係数", "corrections": "訂正", "proofs": "証明",
}  # fmt: skip
Rows = Sequence[Sequence[Cell]]


def grams(value: Fraction) -> Decimal:
    """Kilograms to a gram, half to even, for reading."""
    return Decimal(round(value * 1000)).scaleb(-3)


def rows_of(found: Gathered, municipality: Text) -> dict[str, Rows]:
    """Every table's rows, in an order that hangs on nothing but the chain."""
    return {
        "plan": _plan(found, municipality),
        "totals": _totals(found.period),
        "members": _members(found),
        "devices": _devices(found),
        "months": _months(found),
        "factors": _factors(found.period),
        "corrections": _corrections(found),
        "proofs": _proofs(found),
    }


def _plan(found: Gathered, municipality: Text) -> Rows:
    period = found.period
    rules = METHODOLOGIES[period.methodology]
    tonnes = tonnes_of(by_year(plain_years(period)))
    months = found.months.values()
    by_hand = sum(1 for month in months if month.manual)
    kinds: dict[str, int] = defaultdict(int)
    for device in found.devices.values():
        kinds[device.kind] += 1
    lines: list[tuple[str, str, Cell]] = [
        ("municipality", "実施者(自治体)", f"{period.municipality} {municipality.ja}"),
        ("project_type", "プロジェクトの形態", "プログラム型(属性f)"),
        ("methodology", "方法論", period.methodology),
        ("methodology_title", "方法論の名称", rules.title.ja),
        ("methodology_source", "方法論の出典", rules.source),
        ("methodology_version", "算定式の版", period.methodology_version),
        ("period", "期間の番号", period.period),
        ("first_month", "最初の月", period.first_month),
        ("last_month", "最後の月", period.last_month),
        ("region", "電力の地域区分", period.region),
        ("factor_table", "排出係数表の版", period.table),
        ("factor_table_digest", "排出係数表のハッシュ値(SHA-256)", period.table_digest.hex()),
        ("closed_by", "締めた職員の台帳アカウント", period.closed_by),
        ("members", "会員数", len(found.members)),
        ("devices", "機器の台数", len(found.devices)),
        *((f"devices_{kind}", f"機器の台数({kind})", count) for kind, count in sorted(kinds.items())),
        ("intervals_covered", "算入した計測区間", sum(month.covered for month in months)),
        ("intervals_expected", "計測区間の総数", sum(month.expected for month in months)),
        ("intervals_quarantined", "保留の計測区間", sum(month.quarantined for month in months)),
        ("months_by_hand", "手入力を含む月(機器×月)", by_hand),
        ("tonnes", "申請量の合計(トン)", tonnes.total),
    ]
    return lines


def plain_years(period: Period) -> Mapping[str, Mapping[str, str]]:
    return {year: msgspec.structs.asdict(sums) for year, sums in period.years.items()}


def _totals(period: Period) -> Rows:
    years = by_year(plain_years(period))
    tonnes = tonnes_of(years)
    return [
        [
            year.year, grams(year.baseline), grams(year.project), grams(year.reduction), grams(year.estimated),
            grams(year.counted), tonnes.years[year.year], str(year.baseline), str(year.project), str(year.reduction),
            str(year.estimated),
        ]
        for year in years
    ]  # fmt: skip


def _members(found: Gathered) -> Rows:
    devices: dict[str, int] = defaultdict(int)
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for row in found.reductions:
        devices[row.member] += 1
        sums[row.member] += kilograms(row)
    return [
        [
            member.member, member.kind, member.number, jst(member.joined_ms).date(),
            _before_end(found, member.left_ms), devices[member.member], grams(sums[member.member]),
            str(sums[member.member]),
        ]
        for member in sorted(found.members.values(), key=lambda m: m.number)
    ]  # fmt: skip


def _before_end(found: Gathered, moment_ms: int | None) -> date | None:
    """A day up to the closing: what happens later is another period's, and changes no export of this one."""
    return jst(moment_ms).date() if moment_ms is not None and moment_ms <= found.closed_ms else None


def _devices(found: Gathered) -> Rows:
    rows: list[list[Cell]] = []
    for row in found.reductions:
        device, sum_kg = found.devices[row.device], kilograms(row)
        parameters = json.dumps(device.parameters, sort_keys=True, ensure_ascii=False)
        rows.append(
            [
                row.device, row.member, device.kind, jst(device.registered_ms).date(),
                _before_end(found, device.retired_ms), parameters, len(row.months), grams(sum_kg), str(sum_kg),
            ]
        )  # fmt: skip
    return rows


def _months(found: Gathered) -> Rows:
    rows: list[list[Cell]] = []
    for row in found.reductions:
        for month in row.months:
            read = found.months[row.device, month.month]
            rows.append(
                [
                    row.device, month.month, json.dumps(read.totals, sort_keys=True), read.covered, read.expected,
                    read.quarantined, " ".join(read.estimated), " ".join(read.manual),
                    grams(Fraction(month.reduction)), month.baseline, month.project, month.reduction, month.missing,
                ]
            )  # fmt: skip
    return rows


def _factors(period: Period) -> Rows:
    """The whole table, so that its digest can be made again."""
    return [
        [f.name, str(f.value), f.unit, f.source, f.first_year, f.last_year, f.region]
        for f in table(period.table).entries
    ]


def _corrections(found: Gathered) -> Rows:
    return [
        [
            row.adjustment, jst(row.recorded_ms), row.device, row.member, grams(Fraction(row.kilograms)),
            row.kilograms, row.points, "yes" if row.after_certification else "no",
        ]
        for row in found.adjustments
    ]  # fmt: skip


def _proofs(found: Gathered) -> Rows:
    return [[proof_name(p.transaction_id), " ".join(p.events), p.height, jst(p.time_ms)] for p in found.proofs]


def proof_name(transaction_id: bytes) -> str:
    return f"proofs/{transaction_id.hex()}.json"
