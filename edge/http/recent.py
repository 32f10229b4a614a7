"""The last blocks asked about, read and hashed once: their transactions are mostly asked for one after the other."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

from ledger import merkle
from ledger.chain import Chain
from ledger.refusal import BrokenInvariant
from ledger.types import Block, Certificate

MAX_BLOCKS = 8


@dataclass(frozen=True)
class BlockParts:
    """A block with what proofs about it are made of."""

    block: Block
    hash: bytes
    certificate: Certificate | None
    raw_receipts: tuple[bytes, ...]

    @cached_property
    def transaction_tree(self) -> merkle.Tree:
        return merkle.Tree(self.block.transactions)

    @cached_property
    def receipt_tree(self) -> merkle.Tree:
        return merkle.Tree(self.raw_receipts)


class RecentBlocks:
    """Committed blocks never change, so nothing here can be out of date."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._parts: OrderedDict[int, BlockParts] = OrderedDict()

    def parts(self, height: int) -> BlockParts:
        """The parts of a committed block."""
        found = self._parts.get(height)
        if found is None:
            found = self._parts[height] = self._read(height)
            if len(self._parts) > MAX_BLOCKS:
                self._parts.popitem(last=False)
        else:
            self._parts.move_to_end(height)
        return found

    def _read(self, height: int) -> BlockParts:
        block, raw_receipts = self._chain.block(height), self._chain.raw_receipts(height)
        if block is None or len(raw_receipts) != len(block.transactions):
            raise BrokenInvariant(f"block {height} is in the index but not whole in the store")
        return BlockParts(block, block.header.hash, self._chain.certificate(height), raw_receipts)
