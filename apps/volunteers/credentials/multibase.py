"""Bytes as text, as DIDs and Data Integrity proofs write them: base58btc, and public keys as Multikey.

Multibase (https://www.w3.org/TR/cid-1.0/#multibase-0): the first letter names the alphabet, `z` base58btc, `u`
base64url without padding. Multikey (https://www.w3.org/TR/cid-1.0/#Multikey): two bytes say what kind of key follows.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from ledger.crypto import PUBLIC_KEY_BYTES

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""58 letters and digits without 0, O, I and l, which look alike."""
VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
MAX_BASE58 = 128
"""Longest base58 text that is read: its cost grows with the square, and a signature has 88 letters."""
ED25519_PUBLIC = b"\xed\x01"
"""Multicodec ed25519-pub (0xed) as a variable-length integer."""


def base58_encode(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    letters = []
    while number:
        number, rest = divmod(number, 58)
        letters.append(ALPHABET[rest])
    zeros = len(data) - len(data.lstrip(b"\x00"))
    return ALPHABET[0] * zeros + "".join(reversed(letters))


def base58_decode(text: str) -> bytes:
    """The bytes; `ValueError` if it is not base58 or longer than a signature can be."""
    if len(text) > MAX_BASE58:
        raise ValueError("base58: too long")
    number = 0
    for letter in text:
        value = VALUES.get(letter)
        if value is None:
            raise ValueError(f"base58: {letter!r} is not of its alphabet")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(ALPHABET[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_z(data: bytes) -> str:
    """Multibase, base58btc."""
    return "z" + base58_encode(data)


def decode_z(text: str) -> bytes:
    if not text.startswith("z"):
        raise ValueError("multibase: not base58btc (z…)")
    return base58_decode(text[1:])


def encode_u(data: bytes) -> str:
    """Multibase, base64url without padding."""
    return "u" + urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_u(text: str) -> bytes:
    """The bytes; `ValueError` unless it is exactly how they are written."""
    if not text.startswith("u") or not text.isascii():
        raise ValueError("multibase: not base64url (u…)")
    data = urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    if encode_u(data) != text:
        raise ValueError("multibase: not canonical base64url")
    return data


def encode_public_key(public_key: bytes) -> str:
    """An Ed25519 public key as Multikey: `z6Mk…`."""
    return encode_z(ED25519_PUBLIC + public_key)


def decode_public_key(text: str) -> bytes:
    """The 32 bytes; `ValueError` if it is another kind of key or none."""
    data = decode_z(text)
    if not data.startswith(ED25519_PUBLIC) or len(data) != len(ED25519_PUBLIC) + PUBLIC_KEY_BYTES:
        raise ValueError("multikey: not an Ed25519 public key")
    return data[len(ED25519_PUBLIC) :]
