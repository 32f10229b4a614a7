"""Snapshot files: written from a stopped node or a running one, taken into a new node's home once all of it is proved.

A stream: a line that names the form, then each record behind its length and with its SHA-256, at the end a length of
nought, the number of records and the SHA-256 of all before. The sums find damage on the way; what the records say is
proved by `ledger/snapshot.py`. The rows stand in a folder of their own until their root has come out right; only then
does the folder become the node's store.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from edge.config import load_config
from edge.init import CONFIG_NAME
from ledger.encoding import pack
from ledger.genesis import Genesis
from ledger.refusal import Reason, Refused, Text
from ledger.snapshot import MAX_RECORD_BYTES, Record, Restore, Restored, records
from ledger.store import LevelDb

FORMAT = b"daicho-snapshot/1\n"
LENGTH_BYTES = 4
SUM_BYTES = 32
TIMEOUT_S = 60.0
BUILDING = "ledger.restoring"
SET_ASIDE = "votes.journal.set-aside"

Progress = Callable[[int], None]
"""Told how many bytes have been read."""


class SnapshotFileReason(Reason):
    NOT_A_SNAPSHOT = Text("{name} はスナップショットではありません", "{name} is not a snapshot")
    DAMAGED = Text(
        "{name} の {number} 番目の記録が壊れています: {detail}", "{name} is damaged at record {number}: {detail}"
    )
    NOT_EMPTY = Text(
        "{path} に台帳があります。別の場所へ移してからやり直してください",
        "there is a ledger in {path} already: move it away first, or name a new home",
    )
    NO_ANSWER = Text("{url} から応答がありません: {detail}", "{url} does not answer: {detail}")


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Written:
    records: int
    bytes: int
    sha256: str


# -- writing -----------------------------------------------------------------------------------------------------------


def stream(found: Iterable[Record]) -> Iterator[bytes]:
    """The bytes of a snapshot, a record at a time."""
    total = hashlib.sha256(FORMAT)
    yield FORMAT
    count = 0
    for record in found:
        payload = pack(record)
        part = len(payload).to_bytes(LENGTH_BYTES, "big") + payload + hashlib.sha256(payload).digest()
        total.update(part)
        yield part
        count += 1
    end = bytes(LENGTH_BYTES) + count.to_bytes(8, "big")
    total.update(end)
    yield end + total.digest()


def create_from_home(home: Path, target: Path) -> Written:
    """The snapshot of a stopped node."""
    store = LevelDb(load_config(home / CONFIG_NAME).store, create=False)
    try:
        return _write(target, stream(records(store)))
    finally:
        store.close()


def create_from_url(url: str, target: Path, progress: Progress = lambda size: None) -> Written:
    """The snapshot of a running node; checked for damage on the way, proved when it is restored."""
    with open_url(url) as source:
        return _write(target, _passed_on(source, url, progress))


def _passed_on(source: Source, name: str, progress: Progress) -> Iterator[bytes]:
    yield FORMAT
    total, count, size = hashlib.sha256(FORMAT), 0, 0
    for payload in read_payloads(source, name):
        part = len(payload).to_bytes(LENGTH_BYTES, "big") + payload + hashlib.sha256(payload).digest()
        total.update(part)
        yield part
        count += 1
        size += len(part)
        progress(size)
    end = bytes(LENGTH_BYTES) + count.to_bytes(8, "big")
    total.update(end)
    yield end + total.digest()


def _write(target: Path, parts: Iterable[bytes]) -> Written:
    """The file, whole or not at all."""
    building = target.with_name(target.name + ".tmp")
    digest, size, count = hashlib.sha256(), 0, -2
    with building.open("wb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    building.replace(target)
    return Written(count, size, digest.hexdigest())


# -- reading -----------------------------------------------------------------------------------------------------------


def open_url(url: str) -> BinaryIO:
    """A node's snapshot as it is sent; `Refused(NO_ANSWER)`."""
    try:
        opened: BinaryIO = urllib.request.urlopen(f"{url.rstrip('/')}/v1/snapshot", timeout=TIMEOUT_S)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Refused(SnapshotFileReason.NO_ANSWER, url=url, detail=str(error)[:200]) from None
    return opened


def read_payloads(source: Source, name: str) -> Iterator[bytes]:
    """The records' bytes; `Refused(SnapshotFileReason)` names the record at which the stream is damaged or cut."""
    total, number = hashlib.sha256(), 0

    def exactly(size: int) -> bytes:
        parts: list[bytes] = []
        left = size
        while left:
            try:
                part = source.read(left)
            except (OSError, ValueError) as error:
                raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail=str(error)[:80]) from None
            if not part:
                raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail="it is cut short")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    if exactly(len(FORMAT)) != FORMAT:
        raise Refused(SnapshotFileReason.NOT_A_SNAPSHOT, name=name)
    total.update(FORMAT)
    while True:
        raw_length = exactly(LENGTH_BYTES)
        length = int.from_bytes(raw_length, "big")
        if length == 0:
            break
        if length > MAX_RECORD_BYTES:
            raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail="a record is too large")
        payload, digest = exactly(length), exactly(SUM_BYTES)
        if hashlib.sha256(payload).digest() != digest:
            raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail="its checksum does not fit")
        total.update(raw_length + payload + digest)
        yield payload
        number += 1
    count = exactly(8)
    total.update(bytes(LENGTH_BYTES) + count)
    if int.from_bytes(count, "big") != number or exactly(SUM_BYTES) != total.digest():
        raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail="the sum over all does not fit")
    if source.read(1):
        raise Refused(SnapshotFileReason.DAMAGED, name=name, number=number, detail="there is something after the end")


# -- restoring ---------------------------------------------------------------------------------------------------------


def restore(
    source: Source, name: str, home: Path, genesis: Genesis, progress: Progress = lambda size: None
) -> Restored:
    """Make `home`'s store from a snapshot. Nothing is there until all of it is proved.

    A votes journal in the home is set aside: what the node may have signed is not known any more, so it observes first
    (rule 8).
    """
    config = load_config(home / CONFIG_NAME)
    if config.store.exists() and any(config.store.iterdir()):
        raise Refused(SnapshotFileReason.NOT_EMPTY, path=str(config.store))
    building = config.store.with_name(BUILDING)
    shutil.rmtree(building, ignore_errors=True)
    building.parent.mkdir(parents=True, exist_ok=True)
    try:
        store = LevelDb(building, scratch=True)
        try:
            taken, size = Restore(genesis, store), 0
            for payload in read_payloads(source, name):
                taken.take(payload)
                size += len(payload)
                progress(size)
            restored = taken.finish()
        finally:
            store.close()
        _sync_folder(building)
        if config.journal.exists():
            config.journal.replace(config.journal.with_name(SET_ASIDE))
        if config.store.exists():
            config.store.rmdir()
        building.rename(config.store)
        _sync(config.store.parent)
        return restored
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """The store was written without waiting for the disk: now it is waited for."""
    for file in folder.iterdir():
        _sync(file)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
