"""The two trees: RFC 6962 over lists, and the sparse tree of the state."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle, statetree
from ledger.statetree import StateProof


def rfc_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + rfc_root(leaves[:k]) + rfc_root(leaves[k:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_root_is_that_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == rfc_root(leaves)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_a_path_proves_its_leaf_at_its_place_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = merkle.root(leaves), merkle.prove(leaves, index)
    assert merkle.verify_inclusion(root, leaves[index], index, len(leaves), path)
    assert not merkle.verify_inclusion(root, leaves[index] + b"x", index, len(leaves), path)
    assert not merkle.verify_inclusion(root, leaves[index], index, len(leaves), (*path, root))
    other = data.draw(st.integers(0, len(leaves) - 1))
    if leaves[other] != leaves[index]:
        assert not merkle.verify_inclusion(root, leaves[index], other, len(leaves), path)


keys = st.integers(0, 80).map(lambda n: f"row/{n}".encode())
changes = st.dictionaries(keys, st.none() | st.binary(max_size=6), max_size=12)


class Tree:
    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {}
        self.root = statetree.EMPTY_ROOT

    def update(self, change: dict[bytes, bytes | None]) -> None:
        made = statetree.update(self.nodes.get, change)
        for path, node in made.writes.items():
            if node is None:
                del self.nodes[path]
            else:
                self.nodes[path] = node
        self.root = made.root


@settings(max_examples=60)
@given(st.lists(changes, max_size=8))
def test_the_same_rows_give_the_same_tree_whatever_the_order_in_which_they_came(
    blocks: list[dict[bytes, bytes | None]],
) -> None:
    grown, rows = Tree(), {}
    for block in blocks:
        grown.update(block)
        rows.update(block)
    rows = {k: v for k, v in rows.items() if v is not None}
    at_once = Tree()
    at_once.update(dict(rows))
    assert (grown.root, grown.nodes) == (at_once.root, at_once.nodes)
    assert len(list(statetree.leaves(grown.nodes.get))) == len(rows)


@settings(max_examples=60)
@given(changes, keys)
def test_a_proof_shows_a_rows_value_or_that_there_is_none_and_nothing_else(
    rows: dict[bytes, bytes | None], key: bytes
) -> None:
    tree = Tree()
    tree.update(rows)
    proof = statetree.prove(tree.nodes.get, key)
    value = rows.get(key)
    assert statetree.verify_proof(tree.root, key, value, proof)
    assert not statetree.verify_proof(tree.root, key, b"another value", proof)
    if value is not None:
        assert not statetree.verify_proof(tree.root, key, None, proof)
        assert not statetree.verify_proof(bytes(31) + b"\x01", key, value, proof)
        assert not statetree.verify_proof(tree.root, key, value, StateProof(proof.nodes[:-1]))


def test_a_proof_among_many_rows_stays_small() -> None:
    tree = Tree()
    tree.update({f"row/{n}".encode(): b"v" * 80 for n in range(20_000)})
    sizes = [sum(map(len, statetree.prove(tree.nodes.get, f"row/{n}".encode()).nodes)) for n in range(50)]
    assert max(sizes) < 3_000


@given(st.binary(max_size=700))
def test_bytes_that_are_no_node_prove_nothing(node: bytes) -> None:
    root = statetree.node_hash(node)
    assert not statetree.verify_proof(root, b"row/1", b"value", StateProof((node,)))
