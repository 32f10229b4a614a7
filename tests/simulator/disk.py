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
AHEAD_BYTES = 4 * 1024
"""Zeros that follow the entries in the file."""


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
    """The journal's real byte form, on a disk that forgets: what a crash interrupts is torn."""

    def __init__(self, disk: Disk, observe: int) -> None:
        self._disk = disk
        self._observe = observe
        self._records: list[Record] = []
        self._data = bytearray(journal_bytes(observe, ()))
        self._failed = False
        self._has_grown = True

    def load(self) -> JournalContents:
        """As after a start: only what the bytes on disk still say."""
        ahead = bytes(AHEAD_BYTES) if self._has_grown else b""
        self._observe, self._records, whole_bytes = read_journal(bytes(self._data) + ahead, "the virtual journal")
        del self._data[whole_bytes:]
        self._has_grown = True
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
        """What may be left of an entry that was never synced.

        Where the file had to grow for it, a part of it; else those of its sectors that were written, the first among
        them, or none. Zeros stand for the others.
        """
        dice = self._disk.dice
        if dice.random() < 0.3:
            self._has_grown = False
            return entry[: dice.randint(0, len(entry))]
        if dice.random() < 0.2:
            return b""
        start, torn = len(self._data), bytearray(entry)
        second = start // SECTOR_BYTES + 1
        for sector in range(second, (start + len(entry) - 1) // SECTOR_BYTES + 1):
            at = sector * SECTOR_BYTES - start
            if dice.random() < 0.5:
                continue
            if at < ENTRY_HEAD_BYTES:
                # The rest of its head. Without it nothing that follows can be told from damage, and is taken for it.
                return bytes(torn[:at])
            torn[at : at + SECTOR_BYTES] = bytes(len(torn[at : at + SECTOR_BYTES]))
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
