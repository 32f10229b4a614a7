"""One-time codes of payments and redemptions: what stands for them on the chain until they are used."""

from __future__ import annotations

import hashlib


def commitment(code: str) -> str:
    """The commitment to a one-time code: the application makes the code, the chain first sees this."""
    return hashlib.sha256(b"daicho/points/code\x00" + code.encode()).hexdigest()
