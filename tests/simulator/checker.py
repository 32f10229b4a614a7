"""What must hold, judged without the core's code: own arithmetic, own signature payloads, own reading of bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, cast

import msgpack

from ledger.chain import Chain
from tests.simulator.cluster import WALL_MS, Cluster
from tests.simulator.keys import quick_verify

MAX_AHEAD_MS = 5_000 + 1_000
"""What a fresh block may be ahead of a replica's clock, and what honest clocks may differ."""
MAX_KEPT = 24
"""Rounds at most ten to either side, and of each validator three ROUND-CHANGEs: never more than this."""


class Violation(Exception):
    """Something that must never be."""


def quorum_of(n: int) -> int:
    """The table of the design, n: 1 2 3 4 5 6 7 -> 1 2 2 3 4 4 5."""
    table = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 6: 4, 7: 5, 8: 6, 9: 6, 10: 7}
    return table[n]


def faults_of(n: int) -> int:
    return (n - 1) // 3


def check(cluster: Cluster) -> None:
    """All that must hold at any time, whatever the faults were, as long as no more than f lie."""
    chains = {h.name: read_chain(cluster, h.name) for h in cluster.honest}
    check_prefixes(chains)
    check_votes(cluster)
    check_rounds(cluster)
    check_justified(cluster, chains)
    check_admissions(cluster, chains)
    check_acknowledgements(cluster, chains)
    check_evidence(cluster)
    check_bounds(cluster)


def read_chain(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """A host's chain, read from its disk and judged block by block."""
    chain = Chain.open(cluster.hosts[name].disk.kv, cluster.genesis)
    validators = {n.node_id: n.public_key for n in cluster.genesis.nodes if n.standing == "validator"}
    blocks: list[dict[str, Any]] = []
    seen: set[bytes] = set()
    for height in range(chain.height + 1):
        raw = chain.raw_block(height)
        if raw is None:
            raise Violation(f"{name} has no block {height}")
        header, transactions = cast("tuple[list[Any], list[bytes]]", msgpack.unpackb(raw, raw=False))
        digest = hashlib.sha256(b"daicho/header/1\x00" + msgpack.packb(header, use_bin_type=True)).digest()
        if height:
            if header[2] != blocks[-1]["digest"]:
                raise Violation(f"{name}: block {height} does not follow on {height - 1}")
            check_certificate(name, height, digest, header[0], chain.raw_certificate(height), validators)
            check_time(cluster, name, height, header[3], blocks[-1]["time_ms"], digest)
        ids = [check_transaction(name, height, header[3], t, seen) for t in transactions]
        blocks.append({"digest": digest, "ids": ids, "validators": set(validators), "time_ms": header[3]})
        # The header commits to the set that votes at its own height, and to the next.
        if set_hash(validators) != header[9]:
            raise Violation(f"{name}: block {height} was voted on by another set than the one that was named for it")
        if header[9] != header[10]:
            validators = changed_set(cluster, height, validators, header[10])
    return blocks


def check_time(cluster: Cluster, name: str, height: int, time_ms: int, parent_ms: int, digest: bytes) -> None:
    """A block's time is never before its parent's, and was not far ahead of the true time when it was decided."""
    decided_ms = WALL_MS + cluster.decided_ms.get(digest, cluster.now_ms)
    if not parent_ms <= time_ms <= decided_ms + MAX_AHEAD_MS:
        raise Violation(f"{name}: block {height} is of {time_ms - decided_ms} ms after it was decided")


def check_bounds(cluster: Cluster) -> None:
    """Nothing that is kept for later grows with what liars send (rule 11)."""
    for host in cluster.honest:
        if host.most_kept > MAX_KEPT:
            raise Violation(f"{host.name} has kept votes of {host.most_kept} rounds at once")


def changed_set(cluster: Cluster, height: int, before: dict[str, bytes], wanted: bytes) -> dict[str, bytes]:
    """The set whose hash the header commits to, found among those that one change can make of the set before.

    One change: a validator more or less, one for another, or another key for one.
    """
    keys = {n.node_id: [k.public_key for k in cluster.hosts[n.node_id].keys] for n in cluster.genesis.nodes}
    less: list[dict[str, bytes]] = [before]
    less += [{n: key for n, key in before.items() if n != leaving} for leaving in sorted(before)]
    for members in less:
        more = [{**members, n: key} for n in sorted(keys) if n not in members for key in keys[n]]
        for candidate in [members, *more]:
            if set_hash(candidate) == wanted:
                return candidate
    raise Violation(f"the validator set after block {height} is none that one change makes of {sorted(before)}")


def set_hash(validators: dict[str, bytes]) -> bytes:
    form = [[[n, "132012", validators[n]] for n in sorted(validators)]]
    return hashlib.sha256(b"daicho/validators/1\x00" + msgpack.packb(form, use_bin_type=True)).digest()


def check_certificate(
    name: str, height: int, digest: bytes, chain_id: bytes, raw: bytes | None, validators: dict[str, bytes]
) -> None:
    if raw is None:
        raise Violation(f"{name}: block {height} has no certificate")
    at, round_, block_hash, seals = msgpack.unpackb(raw, raw=False)
    payload = b"daicho/commit/1\x00" + msgpack.packb([chain_id, at, round_, block_hash], use_bin_type=True)
    signers = {node for node, signature in seals if quick_verify(validators.get(node, b""), payload, signature)}
    if at != height or block_hash != digest:
        raise Violation(f"{name}: the certificate of {height} is about another block")
    if len(signers) != len(seals) or len(signers) < quorum_of(len(validators)):
        raise Violation(f"{name}: block {height} is certified by {sorted(signers)} of {sorted(validators)}")


def check_transaction(name: str, height: int, time_ms: int, raw: bytes, seen: set[bytes]) -> bytes:
    body, signature = msgpack.unpackb(raw, raw=False)
    transaction_id = hashlib.sha256(b"daicho/transaction/1\x00" + body).digest()
    if transaction_id in seen:
        raise Violation(f"{name}: {transaction_id.hex()[:6]} stands in the chain twice, again at {height}")
    if msgpack.unpackb(body, raw=False)[7] <= time_ms:
        raise Violation(f"{name}: {transaction_id.hex()[:6]} had expired when it entered block {height}")
    key = msgpack.unpackb(body, raw=False)[2]
    if not quick_verify(key, b"daicho/transaction/1\x00" + body, signature):
        raise Violation(f"{name}: {transaction_id.hex()[:6]} in block {height} is not signed by its sender")
    seen.add(transaction_id)
    return transaction_id


def check_prefixes(chains: dict[str, list[dict[str, Any]]]) -> None:
    """One block a height: every honest chain is a prefix of every other."""
    longest = max(chains.values(), key=len)
    for name, blocks in chains.items():
        for height, block in enumerate(blocks):
            if block["digest"] != longest[height]["digest"]:
                raise Violation(f"two blocks at height {height}: {name} has another than the longest chain")


def check_votes(cluster: Cluster) -> None:
    """No honest replica ever lets out two different votes for a step."""
    steps: dict[tuple[str, str, int, int], bytes] = {}
    for sent in cluster.sent:
        vote = sent.vote
        key = (sent.host, type(vote).__name__, vote.height, vote.round)
        if steps.setdefault(key, vote.signature) != vote.signature:
            raise Violation(f"{sent.host} has signed two different {key[1]} at height {key[2]} round {key[3]}")


def check_rounds(cluster: Cluster) -> None:
    """Nobody honest goes to a round that no honest replica has come near, or takes back that it has prepared."""
    reached: dict[int, int] = {}
    for sent in cluster.sent:
        vote = sent.vote
        highest = reached.get(vote.height, 0)
        if vote.round > highest + 1:
            raise Violation(f"{sent.host} went to round {vote.round} of height {vote.height}, honest ones to {highest}")
        reached[vote.height] = max(highest, vote.round)
    taken_back = liars_proved(sent.vote for sent in cluster.sent)
    if taken_back:
        raise Violation(f"{sorted(taken_back)} are honest, and their votes prove that they lie")


def check_justified(cluster: Cluster, chains: dict[str, list[dict[str, Any]]]) -> None:
    """Nobody honest prepares in a later round that a quorum of distinct validators has not come to."""
    longest = max(chains.values(), key=len)
    arrived: dict[tuple[int, int], set[str]] = {}
    for vote in (*cluster.received, *(sent.vote for sent in cluster.sent)):
        if type(vote).__name__ == "RoundChange":
            arrived.setdefault((vote.height, vote.round), set()).add(vote.node_id)
    for sent in cluster.sent:
        vote = sent.vote
        if type(vote).__name__ == "Prepare" and vote.round > 0 and vote.height < len(longest):
            validators = longest[vote.height]["validators"]
            there = arrived.get((vote.height, vote.round), set()) & validators
            if len(there) < quorum_of(len(validators)):
                raise Violation(
                    f"{sent.host} prepares in round {vote.round} of height {vote.height}, "
                    f"where only {sorted(there)} of {sorted(validators)} had come"
                )


def check_admissions(cluster: Cluster, chains: dict[str, list[dict[str, Any]]]) -> None:
    """A validator comes in only with its own signed statement that it holds the chain up to a recent block."""
    longest = max(chains.values(), key=len)
    for height, block in enumerate(longest):
        for candidate in block["validators"] - longest[max(0, height - 1)]["validators"]:
            statements = [
                arguments
                for transaction_id in longest[height - 1]["ids"]
                if (arguments := admission_of(cluster, transaction_id)) and arguments["node_id"] == candidate
            ]
            if not any(is_in_sync(cluster, longest, s) for s in statements):
                raise Violation(f"{candidate} votes at height {height} and has not shown that it is in sync")


def admission_of(cluster: Cluster, transaction_id: bytes) -> dict[str, Any]:
    transaction = cluster.submitted.get(transaction_id)
    if transaction is None:
        raise Violation(f"{transaction_id.hex()[:6]} is in the chain, and no client ever wrote it")
    if transaction.body.method not in ("propose_validator", "propose_replacement"):
        return {}
    return cast("dict[str, Any]", msgpack.unpackb(transaction.body.args, raw=False))


def is_in_sync(cluster: Cluster, chain: list[dict[str, Any]], statement: dict[str, Any]) -> bool:
    form = [cluster.genesis.chain_id, statement["node_id"], statement["height"], statement["block_hash"]]
    payload = b"daicho/in-sync/1\x00" + msgpack.packb(form, use_bin_type=True)
    keys = [key.public_key for key in cluster.hosts[statement["node_id"]].keys]
    return (
        statement["height"] < len(chain)
        and chain[statement["height"]]["digest"] == statement["block_hash"]
        and any(quick_verify(key, payload, statement["signature"]) for key in keys)
    )


def check_acknowledgements(cluster: Cluster, chains: dict[str, list[dict[str, Any]]]) -> None:
    """Every acknowledged write is in the chain, at the height that was told."""
    longest = max(chains.values(), key=len)
    places = {i: height for height, block in enumerate(longest) for i in block["ids"]}
    for transaction_id, height in cluster.acknowledged.items():
        if places.get(transaction_id) != height:
            raise Violation(
                f"{transaction_id.hex()[:6]} was acknowledged at {height} and is at {places.get(transaction_id)}"
            )


def check_evidence(cluster: Cluster) -> None:
    """Nobody honest is ever accused."""
    honest = {h.node_id for h in cluster.honest} - {h.node_id for h in cluster.hosts.values() if not h.honest}
    for first, second in cluster.evidence:
        if first.node_id in honest:
            raise Violation(f"{first.node_id} is honest and accused of {type(first).__name__} {first} {second}")


def liars_proved(votes: Iterable[Any]) -> set[str]:
    """Against whom the votes that honest replicas have seen are proof, by two rules that anybody can check.

    Two different votes for one step; or a COMMIT in a round and, in a later one, a ROUND-CHANGE that claims to have
    prepared nothing as late as that round.
    """
    steps: dict[tuple[str, str, int, int], bytes] = {}
    commits: dict[tuple[str, int], list[int]] = {}
    changes: dict[tuple[str, int], list[tuple[int, int]]] = {}
    proved: set[str] = set()
    for vote in votes:
        kind = type(vote).__name__
        key = (vote.node_id, kind, vote.height, vote.round)
        if steps.setdefault(key, vote.signature) != vote.signature:
            proved.add(vote.node_id)
        at = (vote.node_id, vote.height)
        if kind == "Commit":
            commits.setdefault(at, []).append(vote.round)
        elif kind == "RoundChange":
            prepared = -1 if vote.prepared_round is None else vote.prepared_round
            changes.setdefault(at, []).append((vote.round, prepared))
    for at, rounds in commits.items():
        for later, prepared in changes.get(at, []):
            if any(prepared < round_ < later for round_ in rounds):
                proved.add(at[0])
    return proved


def disagreement(cluster: Cluster) -> int | None:
    """The height at which two honest replicas have different blocks, if there is one."""
    seen: dict[int, bytes] = {}
    for host in cluster.honest:
        chain = Chain.open(host.disk.kv, cluster.genesis)
        for height in range(1, chain.height + 1):
            header = chain.header(height)
            if header is not None and seen.setdefault(height, header.hash) != header.hash:
                return height
    return None
