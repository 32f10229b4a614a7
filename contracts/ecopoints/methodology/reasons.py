"""Why a reduction cannot be reckoned."""

from __future__ import annotations

from ledger.refusal import Reason, Text


class MethodologyReason(Reason):
    UNKNOWN_METHODOLOGY = Text("方法論 {methodology} は登録されていません", "there is no methodology {methodology}")
    UNKNOWN_TABLE = Text("係数表 {version} はありません", "there is no table of factors {version}")
    NO_FACTOR = Text(
        "{fiscal_year} 年度・地域 {region} の係数「{factor}」が係数表 {version} にありません",
        "the table {version} has no factor {factor} for the fiscal year {fiscal_year} in the region {region}",
    )
    MISSING_CHANNEL = Text("計測値「{channel}」がありません", "there is no value of the channel {channel}")
    UNKNOWN_CHANNEL = Text(
        "計測値「{channel}」はこの方法論 {methodology} で使いません",
        "the methodology {methodology} has no channel {channel}",
    )
    BAD_AMOUNT = Text("計測値「{channel}」が負の値です", "the value of the channel {channel} is below zero")
    SOLD_OVER_GENERATED = Text(
        "売電量 {sold} Wh が発電量 {generated} Wh を超えています",
        "{sold} Wh were sold, more than the {generated} Wh that were generated",
    )
    BAD_PARAMETER = Text(
        "機器の設定「{parameter}」が正しくありません: {expected}",
        "the parameter {parameter} of the device is not right: {expected}",
    )
    BAD_MONTH = Text("年月 {month} の形式が正しくありません(例: 2026-04)", "{month} is not a month such as 2026-04")
    TOO_MANY_MONTHS = Text("期間が長すぎます(上限 {limit} か月)", "the span is too long (limit {limit} months)")
    BAD_FIGURE = Text("「{figure}」の値が正しくありません", "the figure {figure} is not right")
    NEVER_EVEN = Text(
        "年間の収入が運用費用を上回らないため、採算は取れません",
        "the yearly revenue is not above the running cost: it never breaks even",
    )
