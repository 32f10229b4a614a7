"""Signatures checked by other processes: a wrong one is told before its block is handed on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from edge.signatures import MAX_AHEAD, SignatureChecks
from ledger.audit import AuditReason, Fault, StoredBlock, fault_at
from ledger.encoding import pack, unpack
from ledger.types import Block
from tests.independent.chain import make_chain

BLOCKS = list(make_chain().blocks())


def unsigned(stored: StoredBlock) -> StoredBlock:
    whole = unpack(Block, stored.raw, len(stored.raw))
    last = whole.transactions[-1][:-1] + bytes([whole.transactions[-1][-1] ^ 1])
    return replace(stored, raw=pack(Block(whole.header, (*whole.transactions[:-1], last))))


def test_all_blocks_come_in_their_order() -> None:
    with SignatureChecks(2) as checks:
        assert [stored.height for stored in checks.ahead(iter(BLOCKS))] == list(range(len(BLOCKS)))


def test_a_block_with_a_wrong_signature_is_not_handed_on() -> None:
    blocks = [*BLOCKS[:7], unsigned(BLOCKS[7]), *BLOCKS[8:]]
    heights: list[int] = []
    with SignatureChecks(2) as checks, pytest.raises(Fault) as found:
        heights.extend(stored.height for stored in checks.ahead(iter(blocks)))
    assert heights == list(range(7))
    assert (found.value.height, found.value.rule, found.value.index) == (7, "bad_transaction", 4)


def test_what_is_wrong_with_the_source_is_told_after_the_blocks_before_it() -> None:
    def source() -> Iterator[StoredBlock]:
        yield from BLOCKS[:5]
        raise fault_at(5, AuditReason.UNREADABLE, detail="a test")

    heights: list[int] = []
    with SignatureChecks(2) as checks, pytest.raises(Fault) as found:
        heights.extend(stored.height for stored in checks.ahead(source()))
    assert heights == list(range(5)) and found.value.height == 5


def test_only_so_much_is_read_ahead() -> None:
    taken = 0

    def source() -> Iterator[StoredBlock]:
        nonlocal taken
        while True:
            taken += 1
            yield BLOCKS[1]

    with SignatureChecks(2) as checks:
        ahead = checks.ahead(source())
        for _ in range(3):
            next(ahead)
        assert taken <= MAX_AHEAD + 3


def test_ctrl_c_is_left_to_the_process_that_executes() -> None:
    with SignatureChecks(2) as checks:
        assert checks._pool is not None
        assert checks._pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
