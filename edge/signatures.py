"""Transactions' signatures checked by other processes, block after block, ahead of the audit that executes them."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

from ledger.audit import Fault, Signatures, SignaturesHere, StoredBlock, bad_signature
from ledger.encoding import unpack
from ledger.refusal import Reason, Refused, Text
from ledger.rules import MAX_BLOCK_BYTES
from ledger.types import Block, Transaction

MAX_AHEAD = 64
"""Blocks that are read ahead of the audit."""
MAX_AHEAD_BYTES = 64 * 1024 * 1024


class SignaturesReason(Reason):
    WORKER_LOST = Text(
        "署名を検証するプロセスが終了しました。メモリーを確認し、--parallel 1 でやり直してください",
        "a process that checks signatures has ended: look for want of memory, or go on with --parallel 1",
    )


class CheckedAhead:
    """To the audit: no block comes to it before its signatures were checked."""

    def check(self, height: int, transactions: Sequence[Transaction]) -> None:
        pass


class SignatureChecks:
    """`parallel` processes in all: this one executes, the others check signatures. With 1, the audit checks them."""

    def __init__(self, parallel: int) -> None:
        # Ctrl-C reaches all processes of a terminal; the one that executes ends the others.
        self._pool = ProcessPoolExecutor(parallel - 1, initializer=_ignore_interrupts) if parallel > 1 else None

    def __enter__(self) -> SignatureChecks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    @property
    def in_audit(self) -> Signatures:
        """What the audit that gets the blocks of `ahead` has still to do."""
        return SignaturesHere() if self._pool is None else CheckedAhead()

    def ahead(self, blocks: Iterator[StoredBlock]) -> Iterator[StoredBlock]:
        """The same blocks, each once its signatures are known to be right. Fault for the first that is not."""
        if self._pool is None:
            yield from blocks
            return
        waiting: deque[tuple[StoredBlock, Future[tuple[int, bytes] | None]]] = deque()
        size = 0
        failure: Fault | Refused | None = None
        is_open = True
        while is_open or waiting:
            while is_open and len(waiting) < MAX_AHEAD and size < MAX_AHEAD_BYTES:
                try:
                    read = next(blocks, None)
                except (Fault, Refused) as error:
                    failure, read = error, None  # told when all blocks before it have passed
                if read is None:
                    is_open = False
                else:
                    waiting.append((read, self._submit(self._pool, read.raw)))
                    size += len(read.raw)
            if waiting:
                block, future = waiting.popleft()
                size -= len(block.raw)
                self._judge(block, future)
                yield block
        if failure is not None:
            raise failure

    @staticmethod
    def _submit(pool: ProcessPoolExecutor, raw: bytes) -> Future[tuple[int, bytes] | None]:
        try:
            return pool.submit(first_unsigned, raw)
        except BrokenProcessPool:
            raise Refused(SignaturesReason.WORKER_LOST) from None

    @staticmethod
    def _judge(block: StoredBlock, future: Future[tuple[int, bytes] | None]) -> None:
        try:
            found = future.result()
        except BrokenProcessPool:
            raise Refused(SignaturesReason.WORKER_LOST) from None
        if found is not None:
            raise bad_signature(block.height, *found)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def first_unsigned(raw_block: bytes) -> tuple[int, bytes] | None:
    """Place and id of the block's first transaction whose signature is wrong; None too for what is no block."""
    try:
        transactions = [Transaction.parse(raw) for raw in unpack(Block, raw_block, MAX_BLOCK_BYTES).transactions]
    except Refused:
        return None  # the audit says what is wrong with it
    return next(((i, t.id) for i, t in enumerate(transactions) if not t.is_signed()), None)
