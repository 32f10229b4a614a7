"""Merkle trees over lists (RFC 6962, section 2.1): roots of a block's transactions and receipts, and their proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over `leaves`; of no leaves, the hash of nothing."""
    if not leaves:
        return EMPTY_ROOT
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def _parents(level: list[bytes]) -> list[bytes]:
    # A last node without a partner rises unchanged: level by level, that is RFC 6962's split at a power of two.
    parents = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) % 2:
        parents.append(level[-1])
    return parents


class Tree:
    """The tree over a list of leaves, kept whole: one proof after the other costs no hashing."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [[leaf_hash(leaf) for leaf in leaves]]
        while len(self._levels[-1]) > 1:
            self._levels.append(_parents(self._levels[-1]))

    def prove(self, index: int) -> tuple[bytes, ...]:
        """The audit path of the leaf at `index`, from the leaf's level up. IndexError if there is no such leaf."""
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(index)
        path: list[bytes] = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index //= 2
        return tuple(path)


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of one leaf. IndexError if there is no such leaf."""
    return Tree(leaves).prove(index)


def verify_inclusion(root_hash: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Whether `leaf` stands at `index` of `count` leaves under `root_hash`."""
    if not 0 <= index < count:
        return False
    current = leaf_hash(leaf)
    position, last, used = index, count - 1, 0
    while last > 0:
        if position % 2 or position < last:
            if used == len(path):
                return False
            sibling = path[used]
            used += 1
            current = node_hash(sibling, current) if position % 2 else node_hash(current, sibling)
        position //= 2
        last //= 2
    return used == len(path) and current == root_hash
