"""What a volunteer's phone shows: a one-time code, good for two minutes and for one check-in (V5).

The chain gets the code's commitment before it is shown; the code itself only when it is used. A photograph of the
screen is worth nothing once the code was used or its time is over, and nobody can show a code that was not issued.

Why not the signed presentation in the QR code itself: signature and address alone need 150 letters, and a code that a
facility's phone reads from another phone's screen should have modules of half a millimetre on 24 mm: 85 letters.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from apps.common import codes, qr
from apps.volunteers.credentials.findings import SpentPresentation, StalePresentation, UnknownPresentation
from contracts.volunteers.certificates import SHOWN_MS, showing_commitment
from ledger.refusal import Reason, Refused, Text

MODULE_MM = 0.5
MAX_EDGE_MM = 24.0
"""The edge of the code with its quiet border: 48 modules."""


class ShowingReason(Reason):
    TOO_LONG_FOR_CODE = Text(
        "アドレスが長すぎてQRコードが {edge_mm} mm になります({limit_mm} mm まで)。短い base_url にしてください",
        "the address is too long: its QR code would be {edge_mm} mm, {limit_mm} mm at most. Remedy: a shorter base_url",
    )


@dataclass(frozen=True, slots=True)
class Showing:
    """A code that was just made. It is shown, and kept nowhere."""

    code: str
    commitment: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Committed:
    """What the chain knows of a code."""

    certificate: str
    """Its number."""
    expires_ms: int
    used_ms: int | None = None


def new_showing(now_ms: int) -> Showing:
    code = codes.new_code()
    return Showing(code, showing_commitment(code), now_ms + SHOWN_MS)


def is_committed(code: str, commitment: str) -> bool:
    return secrets.compare_digest(showing_commitment(code), commitment)


def check_showing(
    committed: Committed | None, now_ms: int
) -> Committed | UnknownPresentation | SpentPresentation | StalePresentation:
    """Whether a shown code is good now, by what the chain has under its commitment. Used comes before too late."""
    if committed is None:
        return UnknownPresentation()
    if committed.used_ms is not None:
        return SpentPresentation(committed.used_ms)
    if now_ms >= committed.expires_ms:
        return StalePresentation()
    return committed


# -- QR codes ----------------------------------------------------------------------------------------------------------


def showing_url(base_url: str, code: str) -> str:
    """What the QR code on the phone leads to; the facility's camera opens it."""
    return f"{base_url}/p/{code}"


def number_url(base_url: str, number: str) -> str:
    """What the QR code on the card leads to: a page that says whether the certificate is valid now."""
    return f"{base_url}/c/{number}"


def code_edge_mm(content: str) -> float:
    """The edge of the QR code at half a millimetre a module; `Refused` if that is more than 24 mm."""
    edge_mm = len(qr.matrix(content)) * MODULE_MM
    if edge_mm > MAX_EDGE_MM:
        raise Refused(ShowingReason.TOO_LONG_FOR_CODE, edge_mm=f"{edge_mm:.1f}", limit_mm=f"{MAX_EDGE_MM:.0f}")
    return edge_mm


def check_base_url(base_url: str) -> None:
    """`Refused` if codes under this address would be too large to be read from a phone: asked once, at the start."""
    code_edge_mm(showing_url(base_url, "A" * codes.CODE_LENGTH))
