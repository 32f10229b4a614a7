"""Amounts as people read and type them: kWh, km and litres, with up to three decimals, kept as Wh, m and mL."""

from __future__ import annotations

import re
import unicodedata

from contracts.ecopoints.methodology import METHODOLOGIES

AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")
UNITS = {
    "generated": "kWh", "sold": "kWh", "consumed": "kWh", "charged": "kWh", "delivered": "kWh", "distance": "km",
    "fuel": "L",
}  # fmt: skip


def read_amount(typed: str) -> int | None:
    """`1,234.5` -> 1234500, also in full-width digits; None if it is no such number."""
    plain = unicodedata.normalize("NFKC", typed).replace(",", "").strip()
    found = AMOUNT.fullmatch(plain)
    return None if found is None else int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0"))


def show_amount(thousandths: int) -> str:
    """1234500 -> `1,234.5`: exact."""
    whole, rest = divmod(thousandths, 1000)
    return f"{whole:,}" + (f".{rest:03d}".rstrip("0") if rest else "")


def channels_of(kind: str, methodology: str) -> tuple[str, ...]:
    """The channels of a device for which a value can be entered."""
    if not methodology:
        return ("consumed",)
    names = tuple(channel.name for channel in METHODOLOGIES[methodology].channels)
    return tuple(name for name in names if not (kind == "ev" and name == "fuel"))
