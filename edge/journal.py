"""The votes journal: what this node has signed and prepared above its head, on disk before any of it leaves.

A file of checksummed records after a head that says how far the node must only observe (`docs/consensus.md`, rule 8).
A torn tail is cut: its sync never returned, so nothing of it was sent. Anything else that does not fit stops the node.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from consensus.events import PreparedRecord
from consensus.messages import Commit, Prepare, PrePrepare, RoundChange, Vote
from ledger.encoding import pack
from ledger.refusal import Reason, Refused, Text

Record = PreparedRecord | PrePrepare | Prepare | Commit | RoundChange

OBSERVE_UNTIL_KNOWN = 2**53 - 1
"""The journal was lost and it is not yet known which heights this node may have voted at."""
ROTATE_BYTES = 4 * 1024 * 1024

_MAGIC = b"DAICHO-JOURNAL-1"
_HEAD = struct.Struct(">16sQI")
_RECORD = struct.Struct(">II")
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


class JournalReason(Reason):
    DAMAGED = Text(
        "投票記録 {path} が {offset} バイト目で壊れています。二重投票を避けるため停止します。"
        "このファイルを取り除いて起動すると、ノードは安全になるまで観察だけを行います",
        "the votes journal {path} is damaged at byte {offset}: {detail}. The node stops rather than risk a second "
        "vote. Remove the file and start again: the node then only observes until it is safe to vote",
    )


@dataclass(frozen=True, slots=True)
class JournalContents:
    """What a journal holds: votes in the order in which they were signed, and the latest prepared certificate."""

    votes: tuple[Vote, ...]
    prepared: PreparedRecord | None
    observe_through_height: int


class Journal(Protocol):
    def load(self) -> JournalContents: ...

    def append(self, records: Sequence[Record]) -> None:
        """On disk when this returns."""
        ...

    def prune(self, height: int) -> None:
        """Records of heights up to `height` are needed no more: those heights are decided and on disk."""
        ...

    def observe_through(self, height: int) -> None:
        """Remember, over restarts, up to which height this node must only observe. On disk when this returns."""
        ...


class FileJournal:
    """The journal as a file. `Refused(JournalReason)` if it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            # No journal: it was lost, with whatever it held. `create` is how a new node gets its first one.
            self._rewrite(path, OBSERVE_UNTIL_KNOWN, [])
        self._observe, self._records, whole_bytes = _read(path)
        self._fd = os.open(path, os.O_RDWR)
        os.ftruncate(self._fd, whole_bytes)
        os.fdatasync(self._fd)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._size = whole_bytes

    @staticmethod
    def create(path: Path) -> None:
        """The empty journal of a node that has never voted."""
        FileJournal._rewrite(path, 0, [])

    def load(self) -> JournalContents:
        votes = tuple(r for r in self._records if not isinstance(r, PreparedRecord))
        prepared = [r for r in self._records if isinstance(r, PreparedRecord)]
        latest = max(prepared, key=lambda r: (r.height, r.round)) if prepared else None
        return JournalContents(votes, latest, self._observe)

    def append(self, records: Sequence[Record]) -> None:
        data = b"".join(_frame(r) for r in records)
        written = os.write(self._fd, data)
        while written < len(data):
            written += os.write(self._fd, data[written:])
        os.fdatasync(self._fd)
        self._records.extend(records)
        self._size += len(data)

    def prune(self, height: int) -> None:
        self._records = [r for r in self._records if r.height > height]
        if self._size > ROTATE_BYTES:
            self._replace()

    def observe_through(self, height: int) -> None:
        self._observe = height
        self._replace()

    def close(self) -> None:
        os.close(self._fd)

    def _replace(self) -> None:
        self._rewrite(self._path, self._observe, self._records)
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDWR)
        self._size = os.lseek(self._fd, 0, os.SEEK_END)

    @staticmethod
    def _rewrite(path: Path, observe: int, records: Sequence[Record]) -> None:
        """Put a new file in the old one's place, whole or not at all."""
        fresh = path.with_suffix(".new")
        head = _MAGIC + observe.to_bytes(8, "big")
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(fd, _HEAD.pack(_MAGIC, observe, zlib.crc32(head)) + b"".join(_frame(r) for r in records))
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _frame(record: Record) -> bytes:
    payload = pack(record)
    return _RECORD.pack(len(payload), zlib.crc32(payload)) + payload


def _read(path: Path) -> tuple[int, list[Record], int]:
    """The observe height, the records, and how many bytes of the file are whole."""
    data = path.read_bytes()
    if len(data) < _HEAD.size:
        raise Refused(JournalReason.DAMAGED, path=str(path), offset=0, detail="the head is cut short")
    magic, observe, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(data[: _HEAD.size - 4]) != checksum:
        raise Refused(JournalReason.DAMAGED, path=str(path), offset=0, detail="this is not the head of a journal")
    records: list[Record] = []
    at = _HEAD.size
    while at < len(data):
        if at + _RECORD.size > len(data):
            break
        length, checksum = _RECORD.unpack_from(data, at)
        end = at + _RECORD.size + length
        payload = data[at + _RECORD.size : end]
        if end > len(data) or (length == 0 and not any(data[at:])):
            break
        if zlib.crc32(payload) != checksum:
            if end == len(data) and not any(payload[-16:]):
                break
            raise Refused(JournalReason.DAMAGED, path=str(path), offset=at, detail="a record's checksum does not fit")
        try:
            records.append(_decoder.decode(payload))
        except msgspec.DecodeError as error:
            raise Refused(JournalReason.DAMAGED, path=str(path), offset=at, detail=str(error)[:100]) from None
        at = end
    return observe, records, at
