"""The test vectors of `docs/vectors/`, byte by byte, by the independent reader beside this and by nothing else.

python -m tests.independent.check_vectors docs/vectors
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.independent.verify import (
    CERTIFICATE,
    HEADER,
    INCLUSION,
    RECEIPT,
    STATE_PROOF,
    Fault,
    Header,
    Recovery,
    check_certificate,
    check_inclusion,
    check_state,
    decode,
    encode,
    faults_of,
    header_hash,
    is_included,
    is_signature,
    leader_of,
    merkle_path,
    merkle_root,
    need,
    quorum_of,
    read_genesis,
    read_transaction,
    read_validators,
    set_hash,
    state_root,
    tagged,
    verify_archive,
    vote,
)


def from_tagged(value: Any) -> Any:
    """A value of `encoding.json`."""
    if isinstance(value, list):
        return [from_tagged(v) for v in value]
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return bytes.fromhex(value["$bytes"])
        if value.keys() == {"$int"}:
            return int(value["$int"])
        return {k: from_tagged(v) for k, v in value.items()}
    return value


def in_hex(value: Any) -> Any:
    """A value with its byte strings in hexadecimal and its structs as objects, as the vectors show it."""
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_asdict"):
        return {k: in_hex(v) for k, v in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [in_hex(v) for v in value]
    return {k: in_hex(v) for k, v in value.items()} if isinstance(value, dict) else value


def rule_of(check: Callable[[], object]) -> str | None:
    """The rule that a check says is broken; None if all holds."""
    try:
        check()
    except Fault as fault:
        return fault.rule
    return None


def _encoding(v: Any) -> None:
    for good in v["good"]:
        value, data = from_tagged(good["value"]), bytes.fromhex(good["hex"])
        need(encode(value) == data and decode(data) == value, "vector", good["hex"])
    for bad in v["bad"]:
        data = bytes.fromhex(bad["hex"])
        need(rule_of(lambda data=data: decode(data)) == bad["rule"], "vector", bad["hex"])  # type: ignore[misc]


def _hashes(v: Any) -> None:
    for one in v["tagged"]:
        need(tagged(one["tag"], bytes.fromhex(one["data"])).hex() == one["hash"], "vector", one["tag"])


def _signatures(v: Any) -> None:
    for one in v["signatures"]:
        key, message, signature = (bytes.fromhex(one[k]) for k in ("public_key", "message", "signature"))
        need(is_signature(key, message, signature) == one["valid"], "vector", one["about"])


def _transactions(v: Any) -> None:
    for good in v["good"]:
        transaction_id, body = read_transaction(bytes.fromhex(good["transaction"]))
        need(encode(list(body)).hex() == good["body"], "vector", "body")
        need(transaction_id.hex() == good["id"], "vector", "id")
        need(in_hex(body) == good["fields"] | {"args": encode(from_tagged(good["args"])).hex()}, "vector", "fields")
    for bad in v["bad"]:
        raw = bytes.fromhex(bad["transaction"])
        need(rule_of(lambda raw=raw: read_transaction(raw)) == bad["rule"], "vector", bad["about"])  # type: ignore[misc]


def _receipts(v: Any) -> None:
    for one in v["receipts"]:
        need(in_hex(RECEIPT(decode(bytes.fromhex(one["hex"])))) == one["receipt"], "vector", one["hex"][:16])


def _merkle(v: Any) -> None:
    for tree in v["trees"]:
        leaves = [bytes.fromhex(leaf) for leaf in tree["leaves"]]
        need(merkle_root(leaves).hex() == tree["root"], "vector", f"root of {len(leaves)}")
        need(in_hex([merkle_path(leaves, i) for i in range(len(leaves))]) == tree["paths"], "vector", "paths")
    for one in v["inclusion"]:
        path = [bytes.fromhex(p) for p in one["path"]]
        root, leaf = bytes.fromhex(one["root"]), bytes.fromhex(one["leaf"])
        need(is_included(root, leaf, one["index"], one["count"], path) == one["valid"], "vector", one["about"])


def _validators(v: Any) -> None:
    for one in v["sets"]:
        members = read_validators(bytes.fromhex(one["hex"]))
        n = len(members.members)
        need(in_hex(members)["members"] == one["members"], "vector", "members")
        need(
            (set_hash(members).hex(), faults_of(n), quorum_of(n)) == (one["hash"], one["f"], one["q"]), "vector", "set"
        )


def _quorum(v: Any) -> None:
    for one in v["quorum"]:
        need((faults_of(one["n"]), quorum_of(one["n"])) == (one["f"], one["q"]), "vector", str(one["n"]))


def _leaders(v: Any) -> None:
    for one in v["leaders"]:
        found = leader_of(one["ids"], one["last"], one["height"], one["leader_term_blocks"], one["round"])
        need(found == one["leader"], "vector", str(one))


def _headers(v: Any) -> None:
    for one in v["headers"]:
        header: Header = HEADER(decode(bytes.fromhex(one["hex"])))
        need(in_hex(header) == one["header"] and header_hash(header).hex() == one["hash"], "vector", str(header.height))


def _votes(v: Any) -> None:
    for one in v["votes"]:
        payload = vote(one["kind"], *(from_tagged(f) for f in one["fields"]))
        signature = bytes.fromhex(one["signature"])
        need(payload.hex() == one["payload"], "vector", one["kind"])
        need(is_signature(bytes.fromhex(one["public_key"]), payload, signature), "vector", one["kind"])


def _certificates(v: Any) -> None:
    recovery = Recovery(v["recovery"]["threshold"], tuple(bytes.fromhex(k) for k in v["recovery"]["keys"]))
    for one in v["certificates"]:
        header: Header = HEADER(decode(bytes.fromhex(one["header"])))
        members = read_validators(bytes.fromhex(one["validators"]))
        raw = bytes.fromhex(one["certificate"])
        found = rule_of(
            lambda h=header, r=raw, m=members: check_certificate(h, CERTIFICATE(decode(r)), m, recovery)  # type: ignore[misc]
        )
        need(found == one["rule"], "vector", f"{one['about']}: {found}")


def _state(v: Any) -> None:
    for tree in v["trees"]:
        rows = {bytes.fromhex(r["key"]): bytes.fromhex(r["value"]) for r in tree["rows"]}
        need(state_root(rows).hex() == tree["root"], "vector", f"root of {len(rows)}")
    for one in v["proofs"]:
        root, key = bytes.fromhex(one["root"]), bytes.fromhex(one["key"])
        value = None if one["value"] is None else bytes.fromhex(one["value"])
        raw = bytes.fromhex(one["proof"])
        found = rule_of(
            lambda a=root, k=key, w=value, r=raw: check_state(a, k, w, STATE_PROOF(decode(r)))  # type: ignore[misc]
        )
        need((found is None) == one["valid"], "vector", f"{one['about']}: {found}")


def _inclusion(v: Any) -> None:
    recovery = Recovery(v["recovery"]["threshold"], tuple(bytes.fromhex(k) for k in v["recovery"]["keys"]))
    for one in v["inclusion"]:
        members = read_validators(bytes.fromhex(one["validators"]))
        proof, transaction_id = bytes.fromhex(one["proof"]), bytes.fromhex(one["transaction_id"])
        found = rule_of(
            lambda p=proof, t=transaction_id, m=members: check_inclusion(INCLUSION(decode(p)), t, m, recovery)  # type: ignore[misc]
        )
        need((found is None) == one["valid"], "vector", f"{one['about']}: {found}")


def _genesis(v: Any) -> None:
    genesis = read_genesis(json.dumps(v["genesis"]).encode())
    need(genesis.chain_id.hex() == v["chain_id"], "vector", "chain_id")
    need(in_hex(genesis.header) == v["header"], "vector", "header")


VECTORS: dict[str, Callable[[Any], None]] = {
    "encoding": _encoding,
    "hashes": _hashes,
    "signatures": _signatures,
    "transactions": _transactions,
    "receipts": _receipts,
    "merkle": _merkle,
    "validators": _validators,
    "quorum": _quorum,
    "leaders": _leaders,
    "headers": _headers,
    "votes": _votes,
    "certificates": _certificates,
    "state": _state,
    "genesis": _genesis,
    "inclusion": _inclusion,
}


def check_vectors(folder: Path) -> list[str]:
    """All vectors of a folder and its sample chain; the names of what was checked."""
    for name, check in VECTORS.items():
        try:
            check(json.loads((folder / f"{name}.json").read_bytes()))
        except Fault as fault:
            raise Fault(fault.rule, f"{name}.json: {fault.detail}") from None
    expected = json.loads((folder / "chain" / "expected.json").read_bytes())
    genesis = read_genesis((folder / "chain" / "genesis.json").read_bytes())
    for archive in ("chain.daicho", "chain.jsonl"):
        found = verify_archive(genesis, folder / "chain" / archive)._asdict()
        need(found == expected, "vector", f"{archive}: {found}")
    return [*VECTORS, "chain"]


if __name__ == "__main__":
    try:
        print("all hold:", ", ".join(check_vectors(Path(sys.argv[1]))))
    except Fault as fault:
        sys.exit(f"FAULT: {fault}")
