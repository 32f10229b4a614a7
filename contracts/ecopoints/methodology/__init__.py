"""Methodologies of the J-Credit scheme as formulas over exact numbers, with the versioned tables of their factors.

A methodology is a file beside this one and a line in `METHODOLOGIES`; a table is a file and a line in `TABLES`.
"""

from __future__ import annotations

from collections.abc import Mapping

from contracts.ecopoints.methodology import en_r_002, en_s_012, en_s_025, tables_2026
from contracts.ecopoints.methodology.calendar import (
    fiscal_year_of,
    fiscal_year_of_month,
    month_after,
    month_of,
    month_start_ms,
    months_between,
    next_month,
)
from contracts.ecopoints.methodology.factors import Factor, Factors, FactorTable
from contracts.ecopoints.methodology.model import Channel, Measured, Methodology, Parameter, Reduction, Step
from contracts.ecopoints.methodology.reasons import MethodologyReason
from ledger.refusal import Refused

METHODOLOGIES: Mapping[str, Methodology] = {
    m.code: m for m in (en_s_012.METHODOLOGY, en_r_002.METHODOLOGY, en_s_025.METHODOLOGY)
}
TABLES: Mapping[str, FactorTable] = {t.version: t for t in (tables_2026.TABLE,)}
LATEST_TABLE = tables_2026.TABLE.version


def table(version: str) -> FactorTable:
    """The table of that version, however old; `Refused(UNKNOWN_TABLE)`."""
    found = TABLES.get(version)
    if found is None:
        raise Refused(MethodologyReason.UNKNOWN_TABLE, version=version)
    return found


__all__ = [
    "LATEST_TABLE",
    "METHODOLOGIES",
    "TABLES",
    "Channel",
    "Factor",
    "FactorTable",
    "Factors",
    "Measured",
    "Methodology",
    "MethodologyReason",
    "Parameter",
    "Reduction",
    "Step",
    "fiscal_year_of",
    "fiscal_year_of_month",
    "month_after",
    "month_of",
    "month_start_ms",
    "months_between",
    "next_month",
    "table",
]
