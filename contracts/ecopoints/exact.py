"""Exact kilograms as they stand in rows: fractions in their lowest terms, never rounded."""

from __future__ import annotations

from fractions import Fraction

MAX_DIGITS = 600
ZERO = "0"


def text(value: Fraction) -> str:
    """`-13/2`, `4`. OverflowError if it is longer than a row holds: sums of sane devices never are."""
    written = str(value)
    if len(written) > MAX_DIGITS:
        raise OverflowError(f"a fraction of {len(written)} characters")
    return written


def add(text_of_one: str, other: Fraction) -> str:
    return text(Fraction(text_of_one) + other)
