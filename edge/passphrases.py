"""Where the passphrase of a key comes from: a file, a credential of systemd, the environment, or a prompt.

Never from the command line, which everybody on the machine can read.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ledger.refusal import Reason, Refused, Text

FILE_VARIABLE = "DAICHO_KEY_PASSPHRASE_FILE"
VARIABLE = "DAICHO_KEY_PASSPHRASE"
CREDENTIAL = "daicho-passphrase"
"""The name under which systemd hands it to the node (`LoadCredential=`)."""
LEAST_LENGTH = 12


class PassphraseReason(Reason):
    UNREADABLE_PASSPHRASE = Text(
        "パスフレーズのファイル {path} を読めません: {detail}", "the passphrase file {path} cannot be read: {detail}"
    )
    PASSPHRASE_OPEN = Text(
        "パスフレーズのファイル {path} を他の利用者が読めます。chmod 600 {path} を実行してください",
        "the passphrase file {path} can be read by others: chmod 600 {path}",
    )
    SHORT_PASSPHRASE = Text(
        "パスフレーズは {least} 文字以上にしてください", "a passphrase has at least {least} characters"
    )
    NOT_THE_SAME = Text("2回の入力が一致しません", "the two passphrases typed are not the same")


def from_file(path: Path) -> str:
    """The first line of the file. `Refused(PassphraseReason)` if others can read it."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(PassphraseReason.UNREADABLE_PASSPHRASE, path=str(path), detail=str(error)[:120]) from None
    if mode & 0o077:
        raise Refused(PassphraseReason.PASSPHRASE_OPEN, path=str(path))
    return (text.splitlines() or [""])[0]


def given(what: str) -> str | None:
    """The passphrase for `what`; None if there is none anywhere and nobody to ask."""
    if named := os.environ.get(FILE_VARIABLE):
        return from_file(Path(named))
    if credentials := os.environ.get("CREDENTIALS_DIRECTORY"):
        path = Path(credentials) / CREDENTIAL
        if path.exists():
            return (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    if VARIABLE in os.environ:
        return os.environ[VARIABLE] or None
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(f"passphrase of {what}: ") or None
    return None


def chosen(path: Path | None) -> str:
    """A new passphrase: from a file, or typed twice. `Refused(PassphraseReason)` if it is short."""
    if path is not None:
        passphrase = from_file(path)
    else:
        passphrase = getpass.getpass("new passphrase: ")
        if getpass.getpass("again: ") != passphrase:
            raise Refused(PassphraseReason.NOT_THE_SAME)
    if len(passphrase) < LEAST_LENGTH:
        raise Refused(PassphraseReason.SHORT_PASSPHRASE, least=LEAST_LENGTH)
    return passphrase
