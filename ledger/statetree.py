"""The state tree: a sparse Merkle tree, 16 wide, over the state's rows. Its root stands in every header.

A row's place is the hash of its key, read four bits at a time from the root down. A node has sixteen slots; a slot is
empty, a leaf (the hashes of a key and its value), or the hash of the node below. A node other than the root exists only
where at least two leaves share its path, so the same rows give the same tree whatever the order in which they came.

The hash of a node is the hash of its stored form, so a proof is simply the nodes on the way from the root, and a
block's changes hash each shared node once. The store keeps only the latest tree, each node under its path.
"""

from __future__ import annotations

import hashlib
from binascii import hexlify
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ledger.encoding import Wire
from ledger.refusal import BrokenInvariant

EMPTY_ROOT = bytes(32)
WIDTH = 16
MAX_DEPTH = 64

_BRANCH_BYTES = 32
_LEAF_BYTES = 64

NodeReader = Callable[[bytes], bytes | None]
"""The stored form of the node at a path (a hexadecimal digit for each step), or None where there is no node."""

Slot = bytes | None
"""Empty, the 32 bytes of a node's hash, or the 64 bytes of a leaf: hash of key, hash of value."""

_DIGITS = b"0123456789abcdef"
_STEP = tuple(_DIGITS[i : i + 1] for i in range(WIDTH))
_INDEX = {digit: i for i, digit in enumerate(_DIGITS)}
_ALL = 0xFFFF

_Change = tuple[bytes, bytes | None]
"""The steps to a row from the root, and its leaf; None: the row is deleted."""


def key_hash(key: bytes) -> bytes:
    return hashlib.sha256(b"daicho/state/key\x00" + key).digest()


def value_hash(value: bytes) -> bytes:
    return hashlib.sha256(b"daicho/state/value\x00" + value).digest()


def node_hash(node: bytes) -> bytes:
    return hashlib.sha256(b"daicho/state/node\x00" + node).digest()


def steps_of(hash_: bytes) -> bytes:
    """The steps from the root that a key's hash takes: its 64 hexadecimal digits."""
    return hexlify(hash_)


class MalformedNode(Exception):
    """Bytes that are not the stored form of a node."""


def read_node(node: bytes) -> list[Slot]:
    """The sixteen slots of a stored node: two bytes say which are filled, two which of those are leaves."""
    if len(node) < 4:
        raise MalformedNode("a node is at least four bytes")
    filled = int.from_bytes(node[:2], "big")
    leaves = int.from_bytes(node[2:4], "big")
    if leaves == 0 and filled == _ALL and len(node) == 4 + WIDTH * _BRANCH_BYTES:
        return [node[i : i + _BRANCH_BYTES] for i in range(4, len(node), _BRANCH_BYTES)]
    slots: list[Slot] = [None] * WIDTH
    at = 4
    for i in range(WIDTH):
        if filled >> i & 1:
            size = _LEAF_BYTES if leaves >> i & 1 else _BRANCH_BYTES
            slots[i] = node[at : at + size]
            at += size
    if at != len(node) or leaves & ~filled:
        raise MalformedNode("a node's length does not fit its slots")
    return slots


def write_node(slots: list[Slot]) -> bytes:
    filled = leaves = 0
    parts = [b""]
    for i, slot in enumerate(slots):
        if slot is not None:
            filled |= 1 << i
            if len(slot) == _LEAF_BYTES:
                leaves |= 1 << i
            parts.append(slot)
    parts[0] = filled.to_bytes(2, "big") + leaves.to_bytes(2, "big")
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """The root after a block, and the nodes to write: None where a node is no more."""

    root: bytes
    writes: Mapping[bytes, bytes | None]


def update(nodes: NodeReader, changes: Mapping[bytes, bytes | None]) -> TreeUpdate:
    """The tree after all `changes` (row key -> value, None deletes) at once."""
    todo: list[_Change] = []
    for key, value in changes.items():
        hashed = key_hash(key)
        todo.append((steps_of(hashed), None if value is None else hashed + value_hash(value)))
    todo.sort()
    writes: dict[bytes, bytes | None] = {}
    present = nodes(b"")
    slots: list[Slot] = [None] * WIDTH if present is None else read_node(present)
    if todo:
        _change_slots(nodes, writes, b"", slots, todo)
    if not any(slots):
        if present is not None:
            writes[b""] = None
        return TreeUpdate(EMPTY_ROOT, writes)
    node = write_node(slots)
    if node != present:
        writes[b""] = node
    return TreeUpdate(node_hash(node), writes)


def _change_slots(
    nodes: NodeReader, writes: dict[bytes, bytes | None], path: bytes, slots: list[Slot], todo: list[_Change]
) -> None:
    depth = len(path)
    start = 0
    while start < len(todo):
        digit = todo[start][0][depth]
        stop = start + 1
        while stop < len(todo) and todo[stop][0][depth] == digit:
            stop += 1
        step = _INDEX[digit]
        slots[step] = _change_slot(nodes, writes, path + _STEP[step], slots[step], todo[start:stop])
        start = stop


def _change_slot(
    nodes: NodeReader, writes: dict[bytes, bytes | None], path: bytes, slot: Slot, todo: list[_Change]
) -> Slot:
    """What stands in a slot after the changes that lead through it; `path` is that of the node below it."""
    if slot is not None and len(slot) == _BRANCH_BYTES:
        present = nodes(path)
        if present is None:
            raise BrokenInvariant(f"the state tree has no node at {path.decode()}")
        slots = read_node(present)
    else:
        if slot is not None:
            todo = _with_leaf(slot, todo)
        todo = [change for change in todo if change[1] is not None]
        if len(todo) <= 1:
            return todo[0][1] if todo else None
        present = None
        slots = [None] * WIDTH
    _change_slots(nodes, writes, path, slots, todo)
    filled = [s for s in slots if s is not None] if slots.count(None) >= WIDTH - 1 else slots
    if not filled or (len(filled) == 1 and filled[0] is not None and len(filled[0]) == _LEAF_BYTES):
        # A path that at most one leaf still takes has no node of its own.
        if present is not None:
            writes[path] = None
        return filled[0] if filled else None
    node = write_node(slots)
    if node != present:
        writes[path] = node
    return node_hash(node)


def _with_leaf(leaf: bytes, todo: list[_Change]) -> list[_Change]:
    """The changes together with a leaf that was already there, unless one of them is about that leaf."""
    steps = steps_of(leaf[:32])
    if any(change[0] == steps for change in todo):
        return todo
    return sorted([*todo, (steps, leaf)])


class StateProof(Wire, frozen=True):
    """The nodes from the root towards a row. Shows the row's value, or that there is no such row."""

    nodes: tuple[bytes, ...]


def prove(nodes: NodeReader, key: bytes) -> StateProof:
    """The proof for `key`, whether it has a row or not."""
    steps = steps_of(key_hash(key))
    path: list[bytes] = []
    for depth in range(MAX_DEPTH):
        node = nodes(steps[:depth])
        if node is None:
            if depth == 0:
                break
            raise BrokenInvariant(f"the state tree has no node at {steps[:depth].decode()}")
        path.append(node)
        slot = read_node(node)[_INDEX[steps[depth]]]
        if slot is None or len(slot) == _LEAF_BYTES:
            break
    return StateProof(tuple(path))


def verify_proof(root: bytes, key: bytes, value: bytes | None, proof: StateProof) -> bool:
    """Whether under `root` the row `key` has `value`; with None, whether there is no row `key`."""
    hashed = key_hash(key)
    steps = steps_of(hashed)
    if not proof.nodes:
        return value is None and root == EMPTY_ROOT
    if len(proof.nodes) > MAX_DEPTH:
        return False
    expected = root
    for depth, node in enumerate(proof.nodes):
        if node_hash(node) != expected:
            return False
        try:
            slot = read_node(node)[_INDEX[steps[depth]]]
        except MalformedNode:
            return False
        last = depth == len(proof.nodes) - 1
        if slot is not None and len(slot) == _BRANCH_BYTES:
            if last:
                return False
            expected = slot
        elif not last:
            return False
        elif slot is None or slot[:32] != hashed:
            return value is None
        else:
            return value is not None and slot[32:] == value_hash(value)
    return False


def leaves(nodes: NodeReader, path: bytes = b"") -> Iterator[bytes]:
    """All leaves below `path`, in the order of their hashes; for audits."""
    node = nodes(path)
    if node is None:
        return
    for step, slot in enumerate(read_node(node)):
        if slot is None:
            continue
        if len(slot) == _LEAF_BYTES:
            yield slot
        else:
            yield from leaves(nodes, path + _STEP[step])
