"""Volunteers' keys, which the application keeps for them: made at random, sealed at rest, forgotten with them.

A volunteer needs no wallet. The key is in the database under a key derived from the application's secret, bound to the
volunteer's pseudonym: a stolen database is no use without the secret, and a row put in another's place does not open.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete
from sqlalchemy.orm import Session

from apps.volunteers.credentials.did import key_did
from apps.volunteers.credentials.tables import HolderKeyRow
from ledger.crypto import SigningKey
from ledger.refusal import Reason, Refused, Text

PURPOSE = b"daicho/volunteers/holder-key/1"
NONCE_BYTES = 12
SEED_BYTES = 32


class CustodyReason(Reason):
    CANNOT_OPEN = Text(
        "{pseudonym} の鍵を復号できません。アプリケーションの secret が変わっていないか確認してください",
        "the key of {pseudonym} cannot be opened. Remedy: run the application with the secret it was sealed with",
    )


def holder_key(session: Session, secret: bytes, pseudonym: str, now_ms: int) -> SigningKey:
    """The volunteer's key, made when it is first asked for."""
    row = session.get(HolderKeyRow, pseudonym)
    if row is not None:
        return open_key(secret, pseudonym, row.sealed)
    seed = os.urandom(SEED_BYTES)
    key = SigningKey(seed)
    sealed = seal_key(secret, pseudonym, seed)
    session.add(HolderKeyRow(pseudonym=pseudonym, did=key_did(key.public_key), sealed=sealed, created_ms=now_ms))
    session.flush()
    return key


def forget_key(session: Session, pseudonym: str) -> None:
    """For when the volunteer is erased or gets a certificate under a new number: nobody signs for them any more."""
    session.execute(delete(HolderKeyRow).where(HolderKeyRow.pseudonym == pseudonym))


def seal_key(secret: bytes, pseudonym: str, seed: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(secret).encrypt(nonce, seed, pseudonym.encode())


def open_key(secret: bytes, pseudonym: str, sealed: bytes) -> SigningKey:
    """`Refused` if it was sealed with another secret, for another volunteer, or was altered."""
    try:
        seed = _cipher(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], pseudonym.encode())
    except (InvalidTag, ValueError):
        raise Refused(CustodyReason.CANNOT_OPEN, pseudonym=pseudonym) from None
    return SigningKey(seed)


def _cipher(secret: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(secret))
