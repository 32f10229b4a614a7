"""Hashes and signatures. Every signature check of the whole system goes through `verify` here.

Which signatures are valid is part of the protocol: libraries differ on edge cases. Ours, strictly: the public key is a
canonical encoding of a point that is not of small order; S < L; R is compared by its bytes (cofactorless, RFC 8032
section 5.1.7 without the optional cofactor). OpenSSL, through `cryptography`, holds the last two; the first is held
here.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HASH_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tagged_hash(tag: bytes, data: bytes) -> bytes:
    """SHA-256 in a domain of its own: no hash of one kind of thing can be passed off as a hash of another."""
    return hashlib.sha256(tag + b"\x00" + data).digest()


_P = 2**255 - 19
_SIGN_BIT = 1 << 255
_ORDER_EIGHT_Y = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _ORDER_EIGHT_Y, _P - _ORDER_EIGHT_Y})
"""The y of the eight points whose order divides 8 (derived again from the curve in `tests/ledger/test_crypto.py`)."""


@lru_cache(maxsize=65_536)
def public_key(raw: bytes) -> Ed25519PublicKey | None:
    """The key, or None if `raw` is not one that may sign: wrong length, non-canonical, or of small order."""
    if len(raw) != PUBLIC_KEY_BYTES:
        return None
    y = int.from_bytes(raw, "little") & ~_SIGN_BIT
    if y >= _P or y in _SMALL_ORDER_Y:
        return None
    return Ed25519PublicKey.from_public_bytes(raw)


def verify(raw_public_key: bytes, payload: bytes, signature: bytes) -> bool:
    """The one signature check. True only for a strictly valid Ed25519 signature (see the head of this file)."""
    key = public_key(raw_public_key)
    if key is None or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        key.verify(signature, payload)
    except InvalidSignature:
        return False
    return True


class SigningKey:
    """An Ed25519 private key. Signing is deterministic (RFC 8032), so it needs no randomness."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, payload: bytes) -> bytes:
        return self._key.sign(payload)
