"""Keys on disk: Ed25519 in files that only their owner can read; PKCS#8 PEM, or sealed with a passphrase."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from edge import passphrases, sealed_keys
from ledger.crypto import SigningKey, verify
from ledger.refusal import Reason, Refused, Text


class KeyReason(Reason):
    NO_KEY_FILE = Text("鍵ファイル {path} がありません", "there is no key file {path}")
    KEY_EXISTS = Text("鍵ファイル {path} は既にあります", "the key file {path} exists already: it is not written over")
    OPEN_TO_OTHERS = Text(
        "鍵ファイル {path} を他の利用者が読めます。chmod 600 {path} を実行してください",
        "the key file {path} can be read by others: chmod 600 {path}",
    )
    UNREADABLE_KEY = Text(
        "鍵ファイル {path} を読めません: {detail}", "the key file {path} is no Ed25519 key in PEM form: {detail}"
    )
    NEEDS_PASSPHRASE = Text(
        "鍵ファイル {path} にはパスフレーズが必要です(DAICHO_KEY_PASSPHRASE_FILE または DAICHO_KEY_PASSPHRASE)",
        "the key file {path} needs its passphrase: set DAICHO_KEY_PASSPHRASE_FILE (or DAICHO_KEY_PASSPHRASE)",
    )
    WRONG_PASSPHRASE = Text(
        "鍵ファイル {path} のパスフレーズが違うか、ファイルが変更されています",
        "the passphrase of the key file {path} is another one, or the file was changed",
    )


def generate_key() -> SigningKey:
    return SigningKey(os.urandom(32))


def write_key(path: Path, seed: bytes, passphrase: str | None = None) -> SigningKey:
    """Write a new key file with mode 0600; an existing one is never written over."""
    if passphrase:
        text = sealed_keys.seal(seed, passphrase)
    else:
        private = Ed25519PrivateKey.from_private_bytes(seed)
        text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(KeyReason.KEY_EXISTS, path=str(path)) from None
    with os.fdopen(fd, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return SigningKey(seed)


def create_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """A fresh random key in a new file."""
    return write_key(path, os.urandom(32), passphrase)


def read_key(path: Path, passphrase: str | None = None) -> SigningKey:
    """The key in a file. `Refused(KeyReason)` says what is wrong with the file and how to mend it."""
    return SigningKey(read_private_key(path, passphrase).private_bytes_raw())


def read_private_key(path: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except FileNotFoundError:
        raise Refused(KeyReason.NO_KEY_FILE, path=str(path)) from None
    except OSError as error:
        raise Refused(KeyReason.UNREADABLE_KEY, path=str(path), detail=str(error)) from None
    if mode & 0o077:
        raise Refused(KeyReason.OPEN_TO_OTHERS, path=str(path))
    sealed = sealed_keys.is_sealed(pem)
    if sealed or b"ENCRYPTED" in pem:
        passphrase = passphrase or passphrases.given(str(path))
        if not passphrase:
            raise Refused(KeyReason.NEEDS_PASSPHRASE, path=str(path))
    else:
        passphrase = None
    if sealed:
        return _unseal(path, pem, passphrase or "")
    try:
        key = load_pem_private_key(pem, None if passphrase is None else passphrase.encode())
    except ValueError as error:
        raise Refused(KeyReason.UNREADABLE_KEY, path=str(path), detail=str(error)[:100]) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused(KeyReason.UNREADABLE_KEY, path=str(path), detail="another kind of key")
    return key


def _unseal(path: Path, text: bytes, passphrase: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(sealed_keys.unseal(text, passphrase))
    except sealed_keys.NotSealed as error:
        raise Refused(KeyReason.UNREADABLE_KEY, path=str(path), detail=str(error)[:100]) from None
    except sealed_keys.WrongPassphrase:
        raise Refused(KeyReason.WRONG_PASSPHRASE, path=str(path)) from None


class NodeScheme:
    """How a node signs votes: with the keys it holds, the current one and, while it is rotated, the next."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self._keys: dict[bytes, SigningKey] = {}
        self.hold(keys)

    def hold(self, keys: list[SigningKey]) -> None:
        """Sign with these from now on."""
        self._keys = {key.public_key: key for key in keys}

    def sign(self, public_key: bytes, payload: bytes) -> bytes | None:
        key = self._keys.get(public_key)
        return None if key is None else key.sign(payload)

    def verify(self, public_key: bytes, payload: bytes, signature: bytes) -> bool:
        return verify(public_key, payload, signature)
