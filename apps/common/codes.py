"""One-time codes of boxes, payments, redemptions: what a QR code leads to, and what is typed where none is scanned.

Sixteen letters and digits of RFC 4648's base 32 are 80 random bits: nobody guesses one, and people can still type it in
groups of four. 0, 1 and 8 do not occur, so what looks like them can be read as O, I and B.
"""

from __future__ import annotations

import secrets
import unicodedata
from base64 import b32encode
from urllib.parse import urlsplit

LOOKS_LIKE = str.maketrans("018", "OIB")
CODE_BYTES = 10
CODE_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
CODE_LENGTH = 16


def new_code() -> str:
    return b32encode(secrets.token_bytes(CODE_BYTES)).decode()


def grouped(code: str) -> str:
    """`ABCD-EFGH-IJKL-MNOP`: as it stands beside the QR code."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def read_code(text: str) -> str:
    """The code in what was scanned (an address) or typed; empty if it is none."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if "/" in plain:
        plain = urlsplit(plain).path.rstrip("/").rsplit("/", 1)[-1]
    letters = "".join(c for c in plain.upper() if c.isalnum()).translate(LOOKS_LIKE)
    return letters if len(letters) == CODE_LENGTH and CODE_LETTERS.issuperset(letters) else ""
