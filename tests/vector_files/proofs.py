"""Vectors of proofs: votes, certificates, Merkle paths, the state tree, and what a reader finds in the sample chain."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ledger import layout, merkle, recovery, rules, statetree
from ledger.chain import Chain
from ledger.encoding import encode, pack
from ledger.light import Inclusion, LightChain, UnknownValidators, Untrue, ValidatorChange
from ledger.proof import Row, row_proof
from ledger.refusal import Refused
from ledger.statetree import StateProof
from ledger.types import Certificate, Header, Seal, Validator, ValidatorSet
from ledger.votes import (
    commit_payload,
    in_sync_payload,
    pre_prepare_payload,
    prepare_payload,
    round_change_payload,
)
from tests.independent.chain import Sample, key_of
from tests.vector_files import tagged

DIGEST = bytes(range(32, 64))
SAME_RULE = {"not_a_validator": "not_a_signer", "not_a_recovery_key": "not_a_signer", "key_twice": "signed_twice",
             "bad_recovery_seal": "bad_seal", "below_threshold": "no_quorum"}  # fmt: skip
"""The code has other words for a quorum than for the recovery keys; the rule is the same."""


def votes(sample: Sample) -> object:
    chain_id, key = sample.chain.chain_id, key_of("tachikawa")
    prepared = round_change_payload(chain_id, 7, 3, 1, DIGEST)
    cases: list[tuple[str, list[object], bytes]] = [
        ("pre-prepare", [chain_id, 7, 0, DIGEST], pre_prepare_payload(chain_id, 7, 0, DIGEST)),
        ("prepare", [chain_id, 7, 0, DIGEST], prepare_payload(chain_id, 7, 0, DIGEST)),
        ("commit", [chain_id, 7, 2, DIGEST], commit_payload(chain_id, 7, 2, DIGEST)),
        ("round-change", [chain_id, 7, 1, None, None], round_change_payload(chain_id, 7, 1, None, None)),
        ("round-change", [chain_id, 7, 3, 1, DIGEST], prepared),
        ("in-sync", [chain_id, "niijima", 7, DIGEST], in_sync_payload(chain_id, "niijima", 7, DIGEST)),
    ]
    return {
        "votes": [
            {"kind": kind, "fields": tagged(fields), "payload": payload, "public_key": key.public_key,
             "signature": key.sign(payload)}
            for kind, fields, payload in cases
        ]
    }  # fmt: skip


def _set_at(sample: Sample, height: int) -> ValidatorSet:
    """The set that voted at a height."""
    before = [members for at, members in sample.chain.validator_changes(0, 100) if at < height]
    if before:
        return before[-1]
    nodes = [n for n in sample.genesis.nodes if n.standing == "validator"]
    return ValidatorSet.of([Validator(n.node_id, n.organisation, n.public_key) for n in nodes])


def certificates(sample: Sample) -> object:
    found = []
    for height in (1, 2, 7, 12, 13, 14):
        header, certificate = sample.chain.header(height), sample.chain.certificate(height)
        if header is not None and certificate is not None:
            found.append((f"of block {height}", header, _set_at(sample, height), certificate))
    found += _wrong(sample)
    return {
        "recovery": sample.genesis.recovery,
        "certificates": [
            {"about": about, "header": pack(header), "validators": pack(members), "certificate": pack(certificate),
             "rule": _rule(sample, header, members, certificate)}
            for about, header, members, certificate in found
        ],
    }  # fmt: skip


def _rule(sample: Sample, header: Header, members: ValidatorSet, certificate: Certificate) -> str | None:
    try:
        rules.check_certificate(header, certificate, members, sample.genesis.recovery)
    except Refused as refused:
        return SAME_RULE.get(refused.reason.code, refused.reason.code)
    return None


def _wrong(sample: Sample) -> list[tuple[str, Header, ValidatorSet, Certificate]]:
    members = _set_at(sample, 2)
    header, certificate = sample.chain.header(2), sample.chain.certificate(2)
    recovered, proof = sample.chain.header(13), sample.chain.certificate(13)
    if header is None or certificate is None or recovered is None or proof is None:
        raise LookupError("the sample chain is shorter than it should be")
    seals = certificate.seals
    key, digest = key_of(seals[0].node_id), header.hash
    stranger = Seal("niijima", key_of("niijima").sign(commit_payload(header.chain_id, 2, 3, digest)))
    other_round = Seal(seals[0].node_id, key.sign(commit_payload(header.chain_id, 2, 0, digest)))
    prepare = Seal(seals[0].node_id, key.sign(prepare_payload(header.chain_id, 2, 3, digest)))
    keys = sample.genesis.recovery
    mixed = (*seals[:2], recovery.seal(header, keys, key_of("recovery.132012")))
    own = _set_at(sample, 13)
    return [
        ("two seals of the three needed", header, members, replace(certificate, seals=seals[:2])),
        ("no seals", header, members, replace(certificate, seals=())),
        ("one validator twice", header, members, replace(certificate, seals=(*seals[:2], seals[0]))),
        ("somebody who is no validator yet", header, members, replace(certificate, seals=(*seals[:2], stranger))),
        ("a seal of another round", header, members, replace(certificate, seals=(other_round, *seals[1:]))),
        ("a prepare in the place of a commit", header, members, replace(certificate, seals=(prepare, *seals[1:]))),
        ("another round in the certificate", header, members, replace(certificate, round=4)),
        ("another height", header, members, replace(certificate, height=3)),
        ("another block", header, members, replace(certificate, block_hash=DIGEST)),
        ("a recovery key among validators", header, members, replace(certificate, seals=mixed)),
        ("a recovery with one key of two", recovered, own, replace(proof, seals=proof.seals[:1])),
        ("a recovery key twice", recovered, own, replace(proof, seals=(proof.seals[0], proof.seals[0]))),
        ("a recovery key that the genesis does not have", recovered, own,
         replace(proof, seals=(proof.seals[0], replace(proof.seals[1], node_id="recovery-key-4")))),
        ("a recovery key under another's name", recovered, own,
         replace(proof, seals=(proof.seals[0], replace(proof.seals[1], node_id="recovery-key-2")))),
    ]  # fmt: skip


def merkle_trees() -> object:
    trees = []
    for count in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17):
        leaves = [bytes([i]) * i for i in range(count)]
        paths = [merkle.prove(leaves, i) for i in range(count)]
        trees.append({"leaves": leaves, "root": merkle.root(leaves), "paths": paths})
    return {"trees": trees, "inclusion": _inclusion()}


def _inclusion() -> list[dict[str, object]]:
    leaves = [b"transaction %d" % i for i in range(7)]
    root, found = merkle.root(leaves), []

    def case(about: str, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> None:
        valid = merkle.verify_inclusion(root, leaf, index, count, path)
        found.append({"about": about, "root": root, "leaf": leaf, "index": index, "count": count, "path": path,
                      "valid": valid})  # fmt: skip

    for index in range(7):
        case(f"leaf {index} of 7", leaves[index], index, 7, merkle.prove(leaves, index))
    path = merkle.prove(leaves, 2)
    case("another leaf", b"transaction 3", 2, 7, path)
    case("another place", leaves[2], 3, 7, path)
    case("another count, where the paths have one length", leaves[2], 2, 8, path)
    case("another count", leaves[2], 2, 4, path)
    case("a place beyond the count", leaves[2], 7, 7, path)
    case("the path cut short", leaves[2], 2, 7, path[:-1])
    case("the path too long", leaves[2], 2, 7, (*path, path[-1]))
    case("the path turned round", leaves[2], 2, 7, path[::-1])
    case("a node passed off as a leaf", merkle.leaf_hash(leaves[0]) + merkle.leaf_hash(leaves[1]), 0, 4, path[1:])
    return found


def inclusion(sample: Sample) -> object:
    """Proofs of single transactions, judged by the light chain with the sets up to each height learned."""
    light = _light(sample)
    found: list[dict[str, object]] = []

    def case(about: str, proof: Inclusion, transaction_id: bytes, members: ValidatorSet) -> None:
        try:
            light.check_inclusion(proof, transaction_id)
            valid = members.hash == proof.header.validators_hash
        except (Untrue, UnknownValidators):
            valid = False
        found.append({"about": about, "validators": pack(members), "transaction_id": transaction_id,
                      "proof": pack(proof), "valid": valid})  # fmt: skip

    for height, index in ((1, 0), (1, 1), (7, 4), (13, 0), (14, 6)):
        proof, transaction_id = inclusion_at(sample, height, index)
        case(f"transaction {index} of block {height}", proof, transaction_id, _set_at(sample, height))
    proof, own = inclusion_at(sample, 14, 6)
    other, _ = inclusion_at(sample, 14, 5)
    members = _set_at(sample, 14)
    case("another transaction's id", proof, inclusion_at(sample, 14, 5)[1], members)
    case("the set of an earlier height", proof, own, _set_at(sample, 1))
    case("a recovery block with the set of an earlier height", *inclusion_at(sample, 13, 0), _set_at(sample, 1))
    case("another place", replace(proof, index=5), own, members)
    case("another receipt", replace(proof, receipt=other.receipt, receipt_path=other.receipt_path), own, members)
    case("a path cut short", replace(proof, transaction_path=proof.transaction_path[:-1]), own, members)
    case("no certificate", replace(proof, certificate=None), own, members)
    case("the certificate of another block", replace(proof, certificate=sample.chain.certificate(13)), own, members)
    case("another state root", replace(proof, header=replace(proof.header, state_root=DIGEST)), own, members)
    return {"recovery": sample.genesis.recovery, "inclusion": found}


def _light(sample: Sample) -> LightChain:
    light = LightChain(sample.genesis)
    for change in changes_of(sample.chain):
        light.learn(change.header, change.certificate, ValidatorSet(change.members))
    return light


def inclusion_at(sample: Sample, height: int, index: int) -> tuple[Inclusion, bytes]:
    chain = sample.chain
    block, raw_receipts = chain.block(height), chain.raw_receipts(height)
    if block is None:
        raise LookupError("the sample chain is shorter than it should be")
    proof = Inclusion(
        header=block.header,
        certificate=chain.certificate(height),
        index=index,
        transaction=block.transactions[index],
        transaction_path=merkle.prove(block.transactions, index),
        receipt=raw_receipts[index],
        receipt_path=merkle.prove(raw_receipts, index),
    )
    return proof, chain.receipts(height)[index].transaction_id


def changes_of(chain: Chain) -> list[ValidatorChange]:
    """Every change of the validator set, as proof files carry them."""
    found: list[ValidatorChange] = []
    for height, members in chain.validator_changes(0, 100):
        header, certificate = chain.header(height), chain.certificate(height)
        if header is not None and certificate is not None:
            found.append(ValidatorChange(header, certificate, members.members))
    return found


def proof_file(sample: Sample) -> bytes:
    """The example of docs/proof-format.md: an absence after changes of the validators, everything that the form has."""
    chain, key = sample.chain, b"governance/account/never-issued"
    row = Row(chain.head, chain.certificate(chain.height), key, None, chain.prove_state(key).nodes)
    return row_proof(chain.chain_id, changes_of(chain), row)


class _Tree:
    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.rows = rows
        made = statetree.update(lambda path: None, rows)
        self.nodes = {path: node for path, node in made.writes.items() if node is not None}
        self.root = made.root

    def prove(self, key: bytes) -> StateProof:
        return statetree.prove(self.nodes.get, key)


def _trees(sample: Sample) -> list[_Tree]:
    own = {key[1:]: value for key, value in sample.kv.scan(layout.STATE, b"t") if key.startswith(layout.STATE)}
    numbered = {f"example/row/{i}".encode(): encode([i, "値"]) for i in range(40)}
    return [_Tree({}), _Tree({b"example/row/only": encode([1])}), _Tree(numbered), _Tree(own)]


def state(sample: Sample) -> object:
    trees = _trees(sample)
    empty, single, numbered, own = trees
    if own.root != sample.chain.head.state_root:
        raise LookupError("the sample's rows do not give its state root")
    found: list[dict[str, object]] = []

    def case(about: str, tree: _Tree, key: bytes, value: bytes | None, proof: StateProof) -> None:
        found.append({"about": about, "root": tree.root, "key": key, "value": value, "proof": pack(proof),
                      "valid": statetree.verify_proof(tree.root, key, value, proof)})  # fmt: skip

    case("no row at all", empty, b"example/row/1", None, StateProof(()))
    for tree, key in ((single, b"example/row/only"), (numbered, b"example/row/7"), (own, b"governance/node/oshima")):
        case("a row", tree, key, tree.rows[key], tree.prove(key))
    for tree in (single, numbered, own):
        for key in (b"example/row/40", b"example/row/100", b"governance/node/nobody", b""):
            case("no such row", tree, key, None, tree.prove(key))
    key = b"example/row/7"
    value, proof = numbered.rows[key], numbered.prove(key)
    nodes = proof.nodes
    absent = numbered.prove(b"example/row/40")
    case("another value", numbered, key, encode([8, "値"]), proof)
    case("a row that is there, said not to be", numbered, key, None, proof)
    case("a row that is not there, said to be", numbered, b"example/row/40", value, absent)
    case("the proof of another row", numbered, b"example/row/8", numbered.rows[b"example/row/8"], proof)
    case("cut short", numbered, key, value, StateProof(nodes[:-1]))
    case("cut short, for absence", numbered, key, None, StateProof(nodes[:-1]))
    case("the last node twice", numbered, key, value, StateProof((*nodes, nodes[-1])))
    case("no nodes", numbered, key, None, StateProof(()))
    flipped = nodes[0][:-1] + bytes([nodes[0][-1] ^ 1])
    case("one bit of a node", numbered, key, value, StateProof((flipped, *nodes[1:])))
    case("the proof of another tree", own, key, value, proof)
    for about, node in (
        ("a node of three bytes", nodes[0][:3]),
        ("a node longer than its slots", nodes[0] + b"\x00"),
        ("a node shorter than its slots", nodes[0][:-1]),
        ("a leaf in an empty slot", b"\x00\x00\x00\x01"),
        ("a node without slots at the root", bytes(4)),
    ):
        root, only = statetree.node_hash(node), StateProof((node,))
        found.append({"about": about, "root": root, "key": key, "value": None, "proof": pack(only),
                      "valid": statetree.verify_proof(root, key, None, only)})  # fmt: skip
    return {
        "trees": [
            {"root": tree.root, "rows": [{"key": k, "value": v} for k, v in sorted(tree.rows.items())]}
            for tree in trees[:3]
        ],
        "proofs": found,
    }


def expected(sample: Sample) -> object:
    """What a reader of the sample chain reports."""
    chain = sample.chain
    heights = range(1, chain.height + 1)
    certified = [c for c in (chain.certificate(h) for h in heights) if c is not None]
    receipts = [receipt for h in heights for receipt in chain.receipts(h)]
    pairs = [(h, chain.header(h), chain.certificate(h)) for h in heights]
    return {
        "chain_id": chain.chain_id,
        "height": chain.height,
        "head_hash": chain.head.hash,
        "state_root": chain.head.state_root,
        "transactions": len(receipts),
        "seals": sum(len(c.seals) for c in certified),
        "refused_receipts": sum(not r.done for r in receipts),
        "inclusion_proofs": 2 * sum(bool(chain.receipts(h)) for h in heights),
        "validator_changes": [h for h, _ in chain.validator_changes(0, 100)],
        "recoveries": [h for h, header, c in pairs if header and c and recovery.is_recovery(header, c)],
        "validators": list(chain.validators.ids),
    }
