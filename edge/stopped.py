"""A stopped node's data as an auditor opens it: a copy, because opening a LevelDB changes it, and the mark of its end.

A store that has lost its last blocks is a true beginning of the chain, and nothing in it shows the loss. So a node that
stops cleanly leaves its head's height and hash beside the store, and takes the mark away when it starts again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge.config import load_config
from edge.init import CONFIG_NAME
from edge.journal import read_journal
from ledger import layout
from ledger.audit import AuditReason, Fault, StoredBlock, fault_at
from ledger.chain import header_of
from ledger.kv import Reader
from ledger.refusal import Reason, Refused, Text
from ledger.store import DamagedStore, LevelDb, StoreReason

MARK = "stopped.json"
JOURNAL = "votes.journal"
_NOT_DATA = ("LOG", "LOG.old", "LOCK")
"""LevelDB's own notes, which it never reads."""


class StoppedReason(Reason):
    NO_STORE = Text(
        "{path} に台帳がありません。ノードのフォルダー(node.toml のある場所)を指定してください",
        "there is no ledger in {path}. Name the folder of a node that has run",
    )
    NO_ROOM = Text(
        "{path} を検証用に複製できません: {detail}。TMPDIR に空きのある場所を指定してください",
        "{path} cannot be copied for the audit: {detail}. Remedy: set TMPDIR to a disk with room, or read rights to it",
    )


def store_of(folder: Path) -> Path:
    """The store in a node's home, or in a copy of its data alone. `Refused` if it is neither."""
    for store in (folder, folder / "ledger"):
        if (store / "CURRENT").exists():
            return store
    return load_config(folder / CONFIG_NAME).store


@contextlib.contextmanager
def opened_copy(path: Path) -> Iterator[LevelDb]:
    """A copy of the store at `path`, open; gone afterwards. The original is only read.

    `Refused` if there is none, a node uses it, or there is no room; Fault if it cannot be read as a LevelDB.
    """
    if not (path / "CURRENT").exists():
        raise Refused(StoppedReason.NO_STORE, path=str(path))
    _check_unused(path)
    with tempfile.TemporaryDirectory(prefix="daicho-verify-") as folder:
        copy = Path(folder) / "store"
        try:
            shutil.copytree(path, copy, ignore=shutil.ignore_patterns(*_NOT_DATA))
        except (OSError, shutil.Error) as error:
            raise Refused(StoppedReason.NO_ROOM, path=str(path), detail=str(error)[:200]) from None
        try:
            store = LevelDb(copy, create=False)
        except Refused as refused:
            raise unreadable(0, str(refused.params.get("detail")).replace(str(copy), str(path))) from None
        try:
            yield store
        finally:
            store.close()


def _check_unused(path: Path) -> None:
    """`Refused` if a process has the store open: LevelDB holds a lock on the file LOCK."""
    try:
        with (path / "LOCK").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(StoreReason.IN_USE, path=str(path)) from None
    except OSError:
        return  # no lock file, or a medium that nobody can write: then nobody has it open


def unreadable(height: int, detail: str) -> Fault:
    """What is stored cannot be read; `height` is the first block that could not be checked."""
    return fault_at(height, AuditReason.UNREADABLE, detail=detail)


@contextlib.contextmanager
def damage_at(height: int) -> Iterator[None]:
    """What cannot be read is a fault of the block at `height`."""
    try:
        yield
    except DamagedStore as damaged:
        raise unreadable(height, str(damaged)) from None


def as_read(blocks: Iterator[StoredBlock], first: int) -> Iterator[StoredBlock]:
    """The blocks of a store; what cannot be read is a fault of the next one."""
    height = first
    while True:
        with damage_at(height):
            stored = next(blocks, None)
        if stored is None:
            return
        yield stored
        height = stored.height + 1


# -- how it ended ------------------------------------------------------------------------------------------------------


def leave_mark(store_path: Path, height: int, head_hash: bytes) -> None:
    """What a node that stops cleanly leaves beside its store, so that a store that has lost its end is known by it."""
    (store_path.parent / MARK).write_text(_mark(height, head_hash))


def take_mark_away(store_path: Path) -> None:
    """The node runs again: from now on the store may grow beyond the mark."""
    (store_path.parent / MARK).unlink(missing_ok=True)


def _mark(height: int, head_hash: bytes) -> str:
    return json.dumps({"height": height, "head": head_hash.hex()}) + "\n"


def check_mark(store_path: Path, store: Reader, height: int) -> None:
    """Fault if the node stopped cleanly and the store's end, at `height`, is not what it was then."""
    try:
        found = (store_path.parent / MARK).read_bytes()
    except FileNotFoundError:
        return
    raw = store.get(layout.of_height(layout.BLOCK, height))
    if raw is None:
        return  # the audit itself finds that the head is missing
    try:
        head_hash = header_of(raw).hash
        if found == _mark(height, head_hash).encode():
            return
        expected = json.loads(found)["height"]
    except (ValueError, KeyError, TypeError, RecursionError, Refused) as error:
        raise unreadable(height, f"{MARK}: {str(error)[:100]}") from None
    raise fault_at(height, AuditReason.CHAIN_CUT, height=height, expected=f"{expected!s:.20}")


def check_journal(store_path: Path, height: int) -> None:
    """Fault if the node's votes journal is there and damaged; it holds votes for the block after `height`."""
    path = store_path.parent / JOURNAL
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    try:
        read_journal(data, str(path))
    except Refused as refused:
        raise Fault.of(refused, height + 1) from None
