"""Key files of accounts: JSON with the account's id and its secret key, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ledger.crypto import SigningKey
from ledger.refusal import Reason, Refused, Text
from ledger.types import AccountId


class KeyFileReason(Reason):
    NOT_FOUND = Text("鍵ファイル {path} がありません", "there is no key file {path}")
    NOT_A_KEY = Text("{path} は鍵ファイルではありません: {detail}", "{path} is not a key file: {detail}")
    TOO_OPEN = Text(
        "鍵ファイル {path} を他の利用者が読めます。chmod 600 {path} を実行してください",
        "the key file {path} can be read by others. Remedy: chmod 600 {path}",
    )
    EXISTS = Text(
        "{path} は既にあります。上書きはしません", "{path} exists already and a key is never overwritten: move it away"
    )


class _KeyJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: AccountId
    public_key: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Who signs, and with what."""

    account: str
    key: SigningKey


def new_secret() -> bytes:
    """The seed of a new Ed25519 key, from the operating system."""
    return secrets.token_bytes(32)


def write_private(path: Path, content: str) -> None:
    """A new file that only its owner can read (0600) from the instant it exists."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(KeyFileReason.EXISTS, path=str(path)) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)


def create_account_key(path: Path, account: str) -> AccountKey:
    """A new key for `account`, kept at `path`."""
    secret = new_secret()
    key = SigningKey(secret)
    content = {"account": account, "public_key": key.public_key.hex(), "secret_key": secret.hex()}
    write_private(path, json.dumps(content, indent=2) + "\n")
    return AccountKey(account, key)


def load_account_key(path: Path) -> AccountKey:
    """The key at `path`; `Refused(KeyFileReason)` if it is missing, malformed, or open to others."""
    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise Refused(KeyFileReason.NOT_FOUND, path=str(path)) from None
    if mode & 0o077:
        raise Refused(KeyFileReason.TOO_OPEN, path=str(path))
    try:
        content = msgspec.json.decode(data, type=_KeyJson)
        key = SigningKey(bytes.fromhex(content.secret_key))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Refused(KeyFileReason.NOT_A_KEY, path=str(path), detail=str(error)[:120]) from None
    if key.public_key.hex() != content.public_key:
        raise Refused(KeyFileReason.NOT_A_KEY, path=str(path), detail="its two halves do not belong together")
    return AccountKey(content.account, key)
