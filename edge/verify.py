"""`daicho verify`: where an audit's blocks come from, where it is executed, and how all cores are used.

The rules are in `ledger/audit.py`. What is executed again stands in a scratch store that is thrown away. Running nodes
are audited in `edge/verify_urls.py`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from edge.archive import ArchiveReader, ArchiveReason
from edge.stopped import check_journal, check_mark, opened_copy, unreadable
from ledger import checkpoint, layout
from ledger.audit import (
    Audit,
    AuditReport,
    Fault,
    Signatures,
    SignaturesHere,
    StoredBlock,
    bad_signature,
    stored_blocks,
)
from ledger.audit_store import compare_store
from ledger.checkpoint import Checkpoint
from ledger.contract import Runtime
from ledger.genesis import Genesis
from ledger.refusal import Reason, Refused, Text
from ledger.store import DamagedStore, LevelDb
from ledger.types import Transaction

Progress = Callable[[int, int | None], None]
"""Told the height that has passed, and how many there are where that is known."""

MAX_UNDER_WAY = 64
"""Blocks whose signatures are still being checked elsewhere."""


class VerifyReason(Reason):
    WORKER_LOST = Text(
        "署名を検証するプロセスが終了しました。メモリーを確認し、--parallel 1 でやり直してください",
        "a process that checks signatures has ended: look for want of memory, or go on with --parallel 1",
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
    """Where a checkpoint of this audit's end is written, if it finds no fault."""

    @property
    def first(self) -> int:
        """The height of the first block that is needed."""
        return 0 if self.start is None else self.start.height


class PooledSignatures:
    """Signatures checked by other processes, a block at a time, while the next blocks are executed here."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._under_way: deque[tuple[int, Sequence[bytes], Future[int | None]]] = deque()

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        if not transactions:
            return
        raws = [t.raw for t in transactions]
        try:
            future = self._pool.submit(first_unsigned, raws)
        except BrokenProcessPool:
            raise Refused(VerifyReason.WORKER_LOST) from None
        self._under_way.append((height, [t.id for t in transactions], future))
        while len(self._under_way) > MAX_UNDER_WAY or (self._under_way and self._under_way[0][2].done()):
            self._take_one()

    def finish(self) -> None:
        while self._under_way:
            self._take_one()

    def _take_one(self) -> None:
        height, ids, future = self._under_way.popleft()
        try:
            index = future.result()
        except BrokenProcessPool:
            raise Refused(VerifyReason.WORKER_LOST) from None
        if index is not None:
            raise bad_signature(height, index, ids[index])


def first_unsigned(raws: Sequence[bytes]) -> int | None:
    """The first of these transactions whose signature is wrong."""
    return next((i for i, raw in enumerate(raws) if not Transaction.parse(raw).is_signed()), None)


@contextlib.contextmanager
def auditing(terms: Terms) -> Iterator[Audit]:
    """An audit that has not begun, in a scratch store; if it ends without a fault, its checkpoint is left."""
    with tempfile.TemporaryDirectory(prefix="daicho-verify-") as folder:
        scratch = LevelDb(Path(folder) / "scratch", scratch=True)
        pool = ProcessPoolExecutor(terms.parallel - 1) if terms.parallel > 1 else None
        signatures: Signatures = SignaturesHere() if pool is None else PooledSignatures(pool)
        now_ms = time.time_ns() // 1_000_000
        try:
            audit = Audit(
                terms.genesis, terms.runtime, scratch, signatures=signatures, now_ms=now_ms, start=terms.start
            )
            yield audit
            if terms.leave is not None:
                write_checkpoint(terms.leave, checkpoint.take(audit.chain, scratch, terms.start))
        finally:
            if pool is not None:
                pool.shutdown(cancel_futures=True)
            scratch.close()


def _run(audit: Audit, terms: Terms, blocks: Iterable[StoredBlock], count: int | None) -> None:
    audit.run(
        blocks, lambda height: terms.progress(height - terms.first, None if count is None else count - terms.first)
    )


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
        with _damage_at(0):
            count = int.from_bytes(store.get(layout.HEAD) or b"", "big")
        with _damage_at(count):
            check_mark(path, store, count)
        with auditing(terms) as audit:
            _run(audit, terms, _as_read(stored_blocks(store, terms.first), terms.first), count)
            above = -1 if terms.start is None else terms.start.height
            with _damage_at(audit.report.height):
                compared = compare_store(store, audit.scratch, above=above, head=audit.report.height)
            check_journal(path, audit.report.height)
            audit.report.stored_values = compared
            return audit.report


@contextlib.contextmanager
def _damage_at(height: int) -> Iterator[None]:
    try:
        yield
    except DamagedStore as damaged:
        raise unreadable(height, str(damaged)) from None


def _as_read(blocks: Iterator[StoredBlock], first: int) -> Iterator[StoredBlock]:
    """The blocks; what cannot be read is a fault of the next one."""
    height = first
    while True:
        with _damage_at(height):
            stored = next(blocks, None)
        if stored is None:
            return
        yield stored
        height = stored.height + 1


# -- an archive --------------------------------------------------------------------------------------------------------


def verify_archive(path: Path, terms: Terms) -> AuditReport:
    """Audit an archive of either form."""
    reader = ArchiveReader(path)
    count = reader.count()
    with auditing(terms) as audit:
        _run(audit, terms, archived(reader, terms.first), None if count is None else count - 1)
        return audit.report


def archived(reader: ArchiveReader, first: int = 0) -> Iterator[StoredBlock]:
    """The blocks of an archive from `first` on. Fault where its records are damaged, cut or not those of an archive."""
    try:
        for stored in reader.blocks():
            if stored.height >= first:
                yield stored
    except Refused as refused:
        if not isinstance(refused.reason, ArchiveReason) or refused.reason is ArchiveReason.NO_FILE:
            raise
        height = refused.params.get("height")
        raise Fault.of(refused, max(height, 0) if isinstance(height, int) else 0) from None
