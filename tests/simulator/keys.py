"""A quick stand-in for Ed25519: a signature is a keyed hash, so making one needs the secret, and checking is fast.

Nobody can forge: actors are handed signers for their own keys only, and the secrets stay in here. The public keys are
real ones, because the ledger refuses any other.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from functools import cache
from unittest import mock

from ledger import crypto


@cache
def _public_key(secret: bytes) -> bytes:
    return crypto.SigningKey(secret).public_key


_secrets: dict[bytes, bytes] = {}


class QuickKey(crypto.SigningKey):
    """A key that signs by keyed hash."""

    def __init__(self, name: str) -> None:
        secret = hashlib.sha256(b"simulator " + name.encode()).digest()
        self.public_key = _public_key(secret)
        self._secret = secret
        _secrets[self.public_key] = secret

    def sign(self, payload: bytes) -> bytes:
        return hashlib.blake2b(payload, key=self._secret).digest()


def quick_verify(public_key: bytes, payload: bytes, signature: bytes) -> bool:
    secret = _secrets.get(public_key)
    return secret is not None and hashlib.blake2b(payload, key=secret).digest() == signature


@contextlib.contextmanager
def quick_signatures() -> Iterator[None]:
    """The whole ledger checks signatures by keyed hash within this block."""
    with mock.patch.object(crypto, "verify", quick_verify):
        yield


class QuickScheme:
    """How a simulated node signs and checks votes."""

    def __init__(self, *keys: QuickKey) -> None:
        self._keys = {key.public_key: key for key in keys}

    def add(self, key: QuickKey) -> None:
        self._keys[key.public_key] = key

    def sign(self, public_key: bytes, payload: bytes) -> bytes | None:
        key = self._keys.get(public_key)
        return None if key is None else key.sign(payload)

    def verify(self, public_key: bytes, payload: bytes, signature: bytes) -> bool:
        return quick_verify(public_key, payload, signature)
