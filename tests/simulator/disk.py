"""A virtual disk: what was synced survives a crash; what was being written is lost or torn. It can be full or lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from edge.journal import (
    OBSERVE_UNTIL_KNOWN,
    SECTOR_BYTES,
    JournalContents,
    Record,
    contents_of,
    journal_bytes,
    journal_entry,
    read_journal,
)
from ledger.kv import MemoryKeyValue

ROTATE_BYTES = 48 * 1024
"""Far less than a real node's, so that every run sees journals replaced."""
ENTRY_HEAD_BYTES = 12


class Disk:
    """The store and the journal of one host. `before` is called ahead of every write, and may end the host there."""

    def __init__(self, before: Callable[[str], None], dice: random.Random) -> None:
        self.before = before
        self.dice = dice
        self.full = False
        self.kv = Store(self)
        self.journal = SimulatedJournal(self, observe=0)

    def wipe(self) -> None:
        """Everything is gone; a new journal says so (rule 8)."""
        self.kv = Store(self)
        self.lose_journal()

    def lose_journal(self) -> None:
        self.journal = SimulatedJournal(self, observe=OBSERVE_UNTIL_KNOWN)

    def write(self, what: str) -> None:
        self.before(what)
        if self.full:
            raise OSError("no space left on the virtual disk")


class Store(MemoryKeyValue):
    """Batches are whole or absent, as LevelDB's are."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        self._disk.write("store")
        super().write(batch)


class SimulatedJournal:
    """The journal's real byte form, on a disk that forgets: what a crash interrupts is torn at any byte."""

    def __init__(self, disk: Disk, observe: int) -> None:
        self._disk = disk
        self._observe = observe
        self._records: list[Record] = []
        self._data = bytearray(journal_bytes(observe, ()))
        self._failed = False

    def load(self) -> JournalContents:
        """As after a start: only what the bytes on disk still say."""
        self._observe, self._records, whole_bytes = read_journal(bytes(self._data), "the virtual journal")
        del self._data[whole_bytes:]
        self._failed = False
        return contents_of(self._observe, self._records)

    def append(self, records: Sequence[Record]) -> None:
        if self._failed:
            raise OSError("the virtual journal could not be written before")
        entry = journal_entry(records)
        self._failed = True
        try:
            self._disk.write("journal")
        except BaseException:
            # The host has crashed or the disk is full: none of what follows happens, and the entry is torn.
            self._data += self._torn(entry)
            raise
        self._failed = False
        self._records.extend(records)
        self._data += entry

    def _torn(self, entry: bytes) -> bytes:
        """What may be left of an entry that was never synced: a part of it, all of it, or all but some sectors."""
        dice = self._disk.dice
        start = len(self._data)
        first = -(-(start + ENTRY_HEAD_BYTES) // SECTOR_BYTES)
        last = (start + len(entry)) // SECTOR_BYTES
        if first >= last or dice.random() < 0.7:
            return entry[: dice.randint(0, len(entry))]
        torn = bytearray(entry)
        at = dice.randrange(first, last) * SECTOR_BYTES - start
        torn[at : at + SECTOR_BYTES] = bytes(SECTOR_BYTES)
        return bytes(torn)

    def prune(self, height: int) -> None:
        self._records = [r for r in self._records if r.height > height]
        if len(self._data) > ROTATE_BYTES:
            self._replace()

    def observe_through(self, height: int) -> None:
        self._replace(observe=height)

    def _replace(self, observe: int | None = None) -> None:
        """A new file in the old one's place: whole, or not at all."""
        self._disk.write("journal")
        self._observe = self._observe if observe is None else observe
        self._data = bytearray(journal_bytes(self._observe, self._records))
