"""The votes journal: what this node has signed and prepared above its head, on disk before any of it leaves.

A file of checksummed entries, one for each sync, after a head that says how far the node must only observe (rule 8).
Only the last entry can be torn, because each is on disk before the next is begun: a torn one is cut, for its sync never
returned, so nothing of it was sent. Anything else that does not fit stops the node. What a crash can leave of an entry
is a part of it, or whole disk sectors of zeros in it; a changed byte is something else, and a vote may be behind it.

Ahead of the entries the file is filled with zeros: to sync bytes where bytes were already costs a disk one write, while
a file that grows costs its file system several (measured: 0.7 ms against 2.8 ms on ext4). Entries follow one another
without a gap, so the zeros begin where the last entry ends.
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
from ledger.encoding import Wire, pack
from ledger.refusal import Reason, Refused, Text

Record = PreparedRecord | PrePrepare | Prepare | Commit | RoundChange

OBSERVE_UNTIL_KNOWN = 2**53 - 1
"""The journal was lost and it is not yet known which heights this node may have voted at."""
ROTATE_BYTES = 4 * 1024 * 1024

AHEAD_BYTES = 256 * 1024
"""The file grows by so many zeros at a time."""
SECTOR_BYTES = 512
_MAGIC = b"DAICHO-JOURNAL-1"
_HEAD = struct.Struct(">16sQI")
"""Magic, the height through which to observe, and their checksum."""
_ENTRY = struct.Struct(">III")
"""Length and checksum of the payload, and the checksum of these two: a damaged length cannot pass for a torn tail."""


class _Entry(Wire, frozen=True):
    """What one sync put on disk."""

    records: tuple[Record, ...]


_decoder: msgspec.msgpack.Decoder[_Entry] = msgspec.msgpack.Decoder(_Entry)


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
        self._observe, self._records, whole_bytes = read_journal(path.read_bytes(), str(path))
        self._failed = False
        self._fd = os.open(path, os.O_RDWR)
        os.ftruncate(self._fd, whole_bytes)
        self._size = self._filled = whole_bytes
        self._fill(whole_bytes + 1)
        os.fsync(self._fd)

    @staticmethod
    def create(path: Path) -> None:
        """The empty journal of a node that has never voted."""
        FileJournal._rewrite(path, 0, [])

    def load(self) -> JournalContents:
        return contents_of(self._observe, self._records)

    def append(self, records: Sequence[Record]) -> None:
        """OSError if it cannot be written; then nothing may be appended any more, for the file's end is unknown."""
        if self._failed:
            raise OSError(f"{self._path} could not be written before")
        data = journal_entry(records)
        self._failed = True
        if self._size + len(data) > self._filled:
            self._fill(self._size + len(data))
        _write_all(self._fd, data, self._size)
        os.fdatasync(self._fd)
        self._failed = False
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

    def _fill(self, needed: int) -> None:
        """Zeros up to the next multiple of `AHEAD_BYTES` from `needed` on; on disk with the next sync."""
        end = -(-needed // AHEAD_BYTES) * AHEAD_BYTES
        _write_all(self._fd, bytes(end - self._filled), self._filled)
        self._filled = end

    def _replace(self) -> None:
        self._rewrite(self._path, self._observe, self._records)
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDWR)
        self._size = self._filled = os.lseek(self._fd, 0, os.SEEK_END)
        self._fill(self._size + 1)

    @staticmethod
    def _rewrite(path: Path, observe: int, records: Sequence[Record]) -> None:
        """Put a new file in the old one's place, whole or not at all."""
        fresh = path.with_suffix(".new")
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(fd, journal_bytes(observe, records), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def contents_of(observe: int, records: Sequence[Record]) -> JournalContents:
    """What these records say: the votes, and the latest prepared certificate."""
    votes = tuple(r for r in records if not isinstance(r, PreparedRecord))
    prepared = [r for r in records if isinstance(r, PreparedRecord)]
    latest = max(prepared, key=lambda r: (r.height, r.round)) if prepared else None
    return JournalContents(votes, latest, observe)


def _write_all(fd: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


def journal_bytes(observe: int, records: Sequence[Record]) -> bytes:
    """A journal with these records, as it stands on disk."""
    head = _MAGIC + observe.to_bytes(8, "big")
    return _HEAD.pack(_MAGIC, observe, zlib.crc32(head)) + (journal_entry(records) if records else b"")


def journal_entry(records: Sequence[Record]) -> bytes:
    """What one sync adds to a journal."""
    payload = pack(_Entry(tuple(records)))
    sizes = len(payload).to_bytes(4, "big") + zlib.crc32(payload).to_bytes(4, "big")
    return sizes + zlib.crc32(sizes).to_bytes(4, "big") + payload


def read_journal(data: bytes, name: str) -> tuple[int, list[Record], int]:
    """The observe height, the records, and how many bytes of the journal are whole.

    `Refused(JournalReason)` with the journal's `name` if it is damaged in a way that no crash explains.
    """

    def damaged(offset: int, detail: str) -> Refused:
        return Refused(JournalReason.DAMAGED, path=name, offset=offset, detail=detail)

    if len(data) < _HEAD.size:
        raise damaged(0, "the head is cut short")
    magic, observe, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC or zlib.crc32(data[: _HEAD.size - 4]) != checksum:
        raise damaged(0, "this is not the head of a journal")
    records: list[Record] = []
    at, content = _HEAD.size, len(data.rstrip(b"\x00"))
    while len(data) - at >= _ENTRY.size and at < content:
        length, payload_checksum, sizes_checksum = _ENTRY.unpack_from(data, at)
        if zlib.crc32(data[at : at + 8]) != sizes_checksum:
            if content <= _sector_after(at) < at + _ENTRY.size:
                break  # the entry's head lies in two sectors, and the crash let only the first be written
            raise damaged(at, "the checksum of an entry's head does not fit")
        start, end = at + _ENTRY.size, at + _ENTRY.size + length
        if end > len(data):
            break
        if zlib.crc32(data[start:end]) != payload_checksum:
            if content <= end and _has_lost_sector(data, start, end):
                break
            raise damaged(at, "the checksum of an entry does not fit")
        try:
            records.extend(_decoder.decode(data[start:end]).records)
        except msgspec.DecodeError as error:
            raise damaged(at, str(error)[:100]) from None
        at = end
    return observe, records, at


def _sector_after(at: int) -> int:
    """Where the next sector begins."""
    return (at // SECTOR_BYTES + 1) * SECTOR_BYTES


def _has_lost_sector(data: bytes, start: int, end: int) -> bool:
    """Whether a sector that an entry takes up, or the part of it that it takes up, holds only zeros: never written."""
    first = _sector_after(start - 1)
    return any(not any(data[at : min(at + SECTOR_BYTES, end)]) for at in range(first, end, SECTOR_BYTES))
