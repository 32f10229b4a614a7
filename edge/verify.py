"""`daicho verify`: where an audit's blocks come from, where it is executed, and how all cores are used.

The rules are in `ledger/audit.py`. What is executed again stands in a scratch store that is thrown away. Running nodes
are audited in `edge/verify_urls.py`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.archive import ArchiveReader, ArchiveReason
from edge.signatures import SignatureChecks
from edge.stopped import as_read, check_journal, check_mark, damage_at, opened_copy
from ledger import checkpoint, layout
from ledger.audit import (
    Audit,
    AuditReport,
    Fault,
    StoredBlock,
    stored_blocks,
)
from ledger.audit_store import compare_store
from ledger.chain import Chain, first_height
from ledger.checkpoint import Checkpoint
from ledger.contract import Runtime
from ledger.genesis import Genesis
from ledger.refusal import Reason, Refused, Text
from ledger.store import LevelDb

Progress = Callable[[int, int | None], None]
"""Told the height that has passed, and how many there are where that is known."""


class VerifyReason(Reason):
    BEGINS_LATER = Text(
        "{path} はスナップショットから始まり、ブロック {first} 以降しかありません。別のノードを検証してください",
        "{path} began with a snapshot and has only the blocks from {first} on. Remedy: verify another node or an "
        "archive, or go on from a checkpoint at block {first} or later",
    )
    NO_FILE = Text("{path} を読めません: {detail}", "{path} cannot be read: {detail}")
    NOT_WRITTEN = Text("{path} を書けません: {detail}", "{path} cannot be written: {detail}")


@dataclass(frozen=True, slots=True)
class Terms:
    """What an audit goes by: the auditor's own genesis, the contracts, and how it is done."""

    genesis: Genesis
    runtime: Runtime
    progress: Progress = lambda height, count: None
    parallel: int = 1
    """Processes: this one executes, the others check signatures."""
    start: Checkpoint | None = None
    """Where an earlier audit stood."""
    leave: Path | None = None
    """Where a checkpoint of how far this audit came is written, if it finds no fault."""

    @property
    def first(self) -> int:
        """The height of the first block that is needed."""
        return 0 if self.start is None else self.start.height


@contextlib.contextmanager
def auditing(terms: Terms) -> Iterator[tuple[Audit, SignatureChecks]]:
    """An audit that has not begun, in a scratch store, and who checks the signatures of the blocks that it gets.

    If it ends without a fault, or is interrupted, a checkpoint of how far it came is left.
    """
    with (
        tempfile.TemporaryDirectory(prefix="daicho-verify-") as folder,
        contextlib.closing(LevelDb(Path(folder) / "scratch", scratch=True)) as scratch,
        SignatureChecks(terms.parallel) as checks,
    ):
        now_ms = time.time_ns() // 1_000_000
        signatures, start = checks.in_audit, terms.start
        audit = Audit(terms.genesis, terms.runtime, scratch, signatures=signatures, now_ms=now_ms, start=start)
        try:
            yield audit, checks
        except KeyboardInterrupt:
            # What stands in the scratch store has been checked: the next audit need not begin again.
            _leave(terms, scratch)
            raise
        _leave(terms, scratch)


def _leave(terms: Terms, scratch: LevelDb) -> None:
    if terms.leave is not None:
        # As it is on disk: an interruption may have come between writing a block and standing at it.
        write_checkpoint(terms.leave, checkpoint.take(Chain(scratch, terms.genesis), scratch, terms.start))


def run(audit: Audit, terms: Terms, blocks: Iterable[StoredBlock], last: int | None) -> None:
    """Audit these blocks, of which the last has the height `last` where that is known."""
    to_do = None if last is None else last - terms.first
    audit.run(blocks, lambda height: terms.progress(height - terms.first, to_do))


# -- checkpoints -------------------------------------------------------------------------------------------------------


def read_checkpoint(path: Path) -> Checkpoint:
    """`Refused` if there is none in the file `path`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(VerifyReason.NO_FILE, path=str(path), detail=error.strerror) from None
    return checkpoint.load_checkpoint(data)


def write_checkpoint(path: Path, made: Checkpoint) -> None:
    """Whole or not at all."""
    building = path.with_name(path.name + ".tmp")
    try:
        with building.open("wb") as file:
            file.write(checkpoint.dump_checkpoint(made))
            file.flush()
            os.fsync(file.fileno())
        building.replace(path)
    except OSError as error:
        raise Refused(VerifyReason.NOT_WRITTEN, path=str(path), detail=error.strerror) from None


# -- a node's data directory -------------------------------------------------------------------------------------------


def verify_store(path: Path, terms: Terms) -> AuditReport:
    """Audit the store of a stopped node, or a copy: its blocks, and every value that it keeps beside them.

    Fault names the block, transaction and rule; `Refused` says why it could not be checked. The store is not changed.
    """
    with opened_copy(path) as store:
        with damage_at(0):
            count = int.from_bytes(store.get(layout.HEAD) or b"", "big")
        with damage_at(count):
            check_mark(path, store, count)
        if first_height(store) > terms.first:
            raise Refused(VerifyReason.BEGINS_LATER, path=str(path), first=first_height(store))
        with auditing(terms) as (audit, checks):
            run(audit, terms, checks.ahead(as_read(stored_blocks(store, terms.first), terms.first)), count)
            above = -1 if terms.start is None else terms.start.height
            with damage_at(audit.report.height):
                compared = compare_store(store, audit.scratch, above=above, head=audit.report.height)
            check_journal(path, audit.report.height)
            audit.report.stored_values = compared
            return audit.report


# -- an archive --------------------------------------------------------------------------------------------------------


def verify_archive(path: Path, terms: Terms) -> AuditReport:
    """Audit an archive of either form."""
    reader = ArchiveReader(path)
    count = reader.count()
    with auditing(terms) as (audit, checks):
        blocks = archived(reader, terms.genesis.chain_id, terms.first)
        run(audit, terms, checks.ahead(blocks), None if count is None else count - 1)
        return audit.report


def archived(reader: ArchiveReader, chain_id: bytes | None, first: int = 0) -> Iterator[StoredBlock]:
    """The blocks of an archive from `first` on. Fault where its records are damaged, cut, or of another chain."""
    try:
        if chain_id is not None:
            reader.check_chain(chain_id)
        for stored in reader.blocks():
            if stored.height >= first:
                yield stored
    except Refused as refused:
        if not isinstance(refused.reason, ArchiveReason) or refused.reason is ArchiveReason.NO_FILE:
            raise
        height = refused.params.get("height")
        raise Fault.of(refused, max(height, 0) if isinstance(height, int) else 0) from None
