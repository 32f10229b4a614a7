"""An independent reader of Daicho: checks archives and proofs against a genesis.

Written from `docs/wire-format.md` and `docs/proof-format.md` alone.

It imports nothing of Daicho, only the standard library, `cryptography` and `msgpack`, so that one mistake cannot be in
both the code and its check. It executes nothing: that receipts and state follow from the transactions is what `daicho
verify` checks.

    python verify.py --genesis genesis.json chain.daicho
    python verify.py --genesis genesis.json --proof story.json

Exit codes: 0 all holds; 1 a fault, named with its block and rule; 2 it could not be checked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MIB = 1024 * 1024
MAX_VALUE, MAX_TRANSACTION, MAX_BLOCK, MAX_RECORD = 4 * MIB, 65_536, 16 * MIB, 64 * MIB
MAX_LEVELS = 16
HOUR_MS = 3_600_000
ZERO = bytes(32)
Check = Callable[[Any], Any]


class Fault(Exception):
    """A rule that is broken, and where."""

    def __init__(self, rule: str, detail: str = "", height: int | None = None, index: int | None = None) -> None:
        super().__init__(rule, detail)
        self.rule, self.detail, self.height, self.index = rule, detail, height, index

    def at(self, height: int, index: int | None = None) -> Fault:
        return Fault(self.rule, self.detail, height, self.index if index is None else index)

    def __str__(self) -> str:
        where = "" if self.height is None else f"block {self.height}"
        where += "" if self.index is None else f", transaction {self.index}"
        return f"{where + ': ' if where else ''}{self.rule}{': ' + self.detail if self.detail else ''}"


def need(holds: bool, rule: str, detail: str = "") -> None:
    if not holds:
        raise Fault(rule, detail)


# -- 1. canonical msgpack ----------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    return bytes(msgpack.packb(_sorted(value, MAX_LEVELS), use_bin_type=True, strict_types=True))


def _sorted(value: Any, levels: int) -> Any:
    need(levels > 0, "too_deep")
    if value is None or type(value) in (bool, int, str, bytes):
        return value
    if type(value) is dict:
        need(all(type(key) is str for key in value), "malformed", "a key that is no text")
        return {key: _sorted(value[key], levels - 1) for key in sorted(value)}
    need(type(value) in (list, tuple), "malformed", f"{type(value).__name__} has no form")
    return [_sorted(item, levels - 1) for item in value]


def decode(data: bytes, limit: int = MAX_VALUE) -> Any:
    need(len(data) <= limit, "too_large")
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, use_list=True)
        again = encode(value)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise Fault("malformed", str(error)[:80]) from None
    need(again == data, "not_canonical")
    return value


# -- structs: what a field may hold ------------------------------------------------------------------------------------


def whole(least: int, most: int) -> Check:
    def check(value: Any) -> Any:
        need(type(value) is int and least <= value <= most, "malformed", f"{value!r:.40} is no number in its range")
        return value

    return check


def text(pattern: str | None = None) -> Check:
    def check(value: Any) -> Any:
        fits = type(value) is str and (pattern is None or re.fullmatch(pattern, value, re.ASCII) is not None)
        fits = fits and (value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value))
        need(fits, "malformed", f"{value!r:.40} is not the text that belongs here")
        return value

    return check


def blob(size: int | None = None) -> Check:
    def check(value: Any) -> Any:
        need(type(value) is bytes and size in (None, len(value)), "malformed", "not the bytes that belong here")
        return value

    return check


def many(item: Check) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, list), "malformed", "no list where one belongs")
        return tuple(item(v) for v in value)

    return check


def optional(item: Check) -> Check:
    return lambda value: None if value is None else item(value)


def scalars(value: Any) -> Any:
    fits = isinstance(value, dict) and all(v is None or type(v) in (bool, int, str) for v in value.values())
    need(fits, "malformed", "no map of scalars")
    return value


def boolean(value: Any) -> Any:
    need(type(value) is bool, "malformed", "no boolean")
    return value


def struct(kind: Any, *checks: Check) -> Check:
    def check(value: Any) -> Any:
        need(isinstance(value, list) and len(value) == len(checks), "malformed", f"not a {kind.__name__}")
        return kind(*(c(v) for c, v in zip(checks, value, strict=True)))

    return check


HASH = KEY = blob(32)
SIGNATURE = blob(64)
NUMBER = whole(-(2**63), 2**64 - 1)
HEIGHT = TIME = whole(0, 2**53 - 1)
ROUND = whole(0, 2**31 - 1)
NAME = text("[a-z][a-z0-9_]{0,47}")
NODE_ID = text("[a-z0-9][a-z0-9-]{0,31}")
ACCOUNT_ID = text("[a-z0-9][a-z0-9.-]{0,63}")
CODE = text("[0-9]{6}")


class Body(NamedTuple):
    chain_id: bytes
    sender: str
    public_key: bytes
    contract: str
    method: str
    args: bytes
    nonce: bytes
    expires_at_ms: int


class Signed(NamedTuple):
    body: bytes
    signature: bytes


class Event(NamedTuple):
    name: str
    subjects: tuple[str, ...]
    data: dict[str, Any]


class Receipt(NamedTuple):
    transaction_id: bytes
    reason: str
    params: dict[str, Any]
    events: tuple[Event, ...]
    result: dict[str, Any]


class Validator(NamedTuple):
    node_id: str
    organisation: str
    public_key: bytes


class ValidatorSet(NamedTuple):
    members: tuple[Validator, ...]


class Header(NamedTuple):
    chain_id: bytes
    height: int
    parent_hash: bytes
    time_ms: int
    proposer: str
    transaction_count: int
    transactions_root: bytes
    receipts_root: bytes
    state_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes


class Block(NamedTuple):
    header: Header
    transactions: tuple[bytes, ...]


class Seal(NamedTuple):
    node_id: str
    signature: bytes


class Certificate(NamedTuple):
    height: int
    round: int
    block_hash: bytes
    seals: tuple[Seal, ...]


class StateProof(NamedTuple):
    nodes: tuple[bytes, ...]


class Inclusion(NamedTuple):
    header: Header
    certificate: Certificate | None
    place: int
    transaction: bytes
    transaction_path: tuple[bytes, ...]
    receipt: bytes
    receipt_path: tuple[bytes, ...]


BODY = struct(Body, HASH, ACCOUNT_ID, KEY, NAME, NAME, blob(), blob(16), TIME)
SIGNED = struct(Signed, blob(), SIGNATURE)
RECEIPT = struct(Receipt, HASH, text(), scalars, many(struct(Event, NAME, many(text()), scalars)), scalars)
VALIDATORS = struct(ValidatorSet, many(struct(Validator, NODE_ID, CODE, KEY)))
HEADER = struct(Header, HASH, HEIGHT, HASH, TIME, text(), NUMBER, HASH, HASH, HASH, HASH, HASH)
BLOCK = struct(Block, HEADER, many(blob()))
CERTIFICATE = struct(Certificate, HEIGHT, ROUND, HASH, many(struct(Seal, NODE_ID, SIGNATURE)))
STATE_PROOF = struct(StateProof, many(blob()))
INCLUSION = struct(Inclusion, HEADER, optional(CERTIFICATE), NUMBER, blob(), many(HASH), blob(), many(HASH))


# -- 2. and 3. hashes and signatures -----------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tagged(tag: str, data: bytes) -> bytes:
    return sha256(tag.encode() + b"\x00" + data)


P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_EIGHT = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, P - 1, _EIGHT, P - _EIGHT}


def may_sign(key: bytes) -> bool:
    y = int.from_bytes(key, "little") % 2**255
    return len(key) == 32 and y < P and y not in SMALL_ORDER


def is_signature(key: bytes, message: bytes, signature: bytes) -> bool:
    """The strict rule. OpenSSL, below `cryptography`, compares R by its bytes, without the cofactor."""
    if not may_sign(key) or len(signature) != 64 or int.from_bytes(signature[32:], "little") >= L:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def vote(kind: str, *fields: Any) -> bytes:
    return f"daicho/{kind}/1".encode() + b"\x00" + encode(list(fields))


# -- 4. and 5. transactions and receipts -------------------------------------------------------------------------------


def read_transaction(raw: bytes) -> tuple[bytes, Body]:
    """The id and the body of a transaction whose signature is its own key's."""
    signed: Signed = SIGNED(decode(raw, MAX_TRANSACTION))
    body: Body = BODY(decode(signed.body, MAX_TRANSACTION))
    payload = b"daicho/transaction/1\x00" + signed.body
    need(is_signature(body.public_key, payload, signed.signature), "bad_signature", "the sender's signature")
    return sha256(payload), body


# -- 6. Merkle trees, as RFC 6962 writes them --------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def merkle_root(leaves: list[bytes] | tuple[bytes, ...]) -> bytes:
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else sha256(b"")
    k = _split(len(leaves))
    return sha256(b"\x01" + merkle_root(leaves[:k]) + merkle_root(leaves[k:]))


def merkle_path(leaves: list[bytes] | tuple[bytes, ...], index: int) -> list[bytes]:
    if len(leaves) < 2:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*merkle_path(leaves[:k], index), merkle_root(leaves[k:])]
    return [*merkle_path(leaves[k:], index - k), merkle_root(leaves[:k])]


def is_included(root: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    if not 0 <= index < count:
        return False
    current, position, last, rest = leaf_hash(leaf), index, count - 1, list(path)
    while last > 0:
        if position % 2 or position < last:
            if not rest:
                return False
            sibling = rest.pop(0)
            current = sha256(b"\x01" + (sibling + current if position % 2 else current + sibling))
        position, last = position // 2, last // 2
    return not rest and current == root


# -- 7. to 9. validators, headers, certificates ------------------------------------------------------------------------


def set_hash(members: ValidatorSet) -> bytes:
    return tagged("daicho/validators/1", encode([[list(v) for v in members.members]]))


def read_validators(raw: bytes) -> ValidatorSet:
    members: ValidatorSet = VALIDATORS(decode(raw))
    ids = [v.node_id for v in members.members]
    need(bool(ids) and ids == sorted(set(ids)), "wrong_validators", "the set is not sorted, or empty")
    return members


def faults_of(n: int) -> int:
    return (n - 1) // 3


def quorum_of(n: int) -> int:
    return (n + faults_of(n)) // 2 + 1


def leader_of(ids: list[str], last: str, height: int, term: int, round_: int) -> str:
    place = sum(i < last for i in ids)
    if last in ids and height % term == 0:
        place += 1
    return ids[(place + round_) % len(ids)]


def header_hash(header: Header) -> bytes:
    return tagged("daicho/header/1", encode(list(header)))


def check_certificate(header: Header, proof: Certificate, members: ValidatorSet, recovery: Recovery) -> bool:
    """Fault unless the certificate proves the block; whether it is one of recovery."""
    digest = header_hash(header)
    need((proof.height, proof.block_hash) == (header.height, digest), "other_block", "a certificate of another block")
    recovered = header.proposer == "*" or any(s.node_id.startswith("recovery-key-") for s in proof.seals)
    if recovered:
        payload = vote("recovery", header.chain_id, header.height, 0, digest)
        keys = {f"recovery-key-{n}": key for n, key in enumerate(recovery.keys, start=1)}
        enough = recovery.threshold
        need(bool(keys), "no_recovery_keys")
    else:
        payload = vote("commit", header.chain_id, header.height, proof.round, digest)
        keys = {v.node_id: v.public_key for v in members.members}
        enough = quorum_of(len(keys))
    for seal in proof.seals:
        need(seal.node_id in keys, "not_a_signer", f"{seal.node_id} may not seal this block")
    need(len({s.node_id for s in proof.seals}) == len(proof.seals), "signed_twice")
    for seal in proof.seals:
        need(is_signature(keys[seal.node_id], payload, seal.signature), "bad_seal", f"the seal of {seal.node_id}")
    need(len(proof.seals) >= enough, "no_quorum", f"{len(proof.seals)} seals, {enough} are needed")
    return recovered


# -- 10. the state tree ------------------------------------------------------------------------------------------------


def place_of(key: bytes) -> bytes:
    return tagged("daicho/state/key", key)


def leaf_of(key: bytes, value: bytes) -> bytes:
    return place_of(key) + tagged("daicho/state/value", value)


def node_form(slots: list[bytes]) -> bytes:
    filled = sum(1 << i for i, slot in enumerate(slots) if slot)
    leaves = sum(1 << i for i, slot in enumerate(slots) if len(slot) == 64)
    return filled.to_bytes(2, "big") + leaves.to_bytes(2, "big") + b"".join(slots)


def state_root(rows: dict[bytes, bytes]) -> bytes:
    return _node(sorted(leaf_of(key, value) for key, value in rows.items()), 0) if rows else ZERO


def _node(leaves: list[bytes], depth: int) -> bytes:
    below: list[list[bytes]] = [[] for _ in range(16)]
    for leaf in leaves:
        below[int(leaf.hex()[depth], 16)].append(leaf)
    slots = [b"" if not some else some[0] if len(some) == 1 else _node(some, depth + 1) for some in below]
    return tagged("daicho/state/node", node_form(slots))


def read_node(form: bytes) -> list[bytes]:
    need(len(form) >= 4, "malformed_node")
    filled, leaves, at = int.from_bytes(form[:2], "big"), int.from_bytes(form[2:4], "big"), 4
    slots = []
    for i in range(16):
        size = 0 if not filled >> i & 1 else 64 if leaves >> i & 1 else 32
        slots.append(form[at : at + size])
        at += size
    need(at == len(form) and not leaves & ~filled, "malformed_node")
    return slots


def check_state(root: bytes, key: bytes, value: bytes | None, proof: StateProof) -> None:
    """Fault unless under `root` the row `key` has `value` (None: there is no such row)."""
    if not proof.nodes:
        need(root == ZERO and value is None, "not_proved", "an empty proof")
        return
    digits, expected = place_of(key).hex(), root
    need(len(proof.nodes) <= len(digits), "not_proved", "too long")
    for depth, form in enumerate(proof.nodes):
        need(tagged("daicho/state/node", form) == expected, "not_proved", "a node of another hash")
        slot = read_node(form)[int(digits[depth], 16)]
        last = depth == len(proof.nodes) - 1
        need((len(slot) == 32) != last, "not_proved", "the proof ends too early or too late")
        if last:
            found = slot[:32] == place_of(key)
            need(found == (value is not None), "not_proved", "the row is there" if found else "there is no such row")
            need(value is None or slot == leaf_of(key, value), "not_proved", "the row has another value")
        expected = slot


# -- 11. the genesis ---------------------------------------------------------------------------------------------------


class Recovery(NamedTuple):
    threshold: int
    keys: tuple[bytes, ...]


class Genesis(NamedTuple):
    chain_id: bytes
    header: Header
    validators: ValidatorSet
    recovery: Recovery


def hexadecimal(value: Any) -> bytes:
    need(isinstance(value, str) and re.fullmatch("([0-9a-f]{2})*", value) is not None, "malformed", "no hexadecimal")
    return bytes.fromhex(value)


def named(**fields: Check) -> Check:
    """An object of a JSON file as the list of its fields."""

    def check(value: Any) -> list[Any]:
        need(isinstance(value, dict) and value.keys() == fields.keys(), "malformed", f"not {', '.join(fields)}")
        return [c(value[name]) for name, c in fields.items()]

    return check


def listed(item: Check) -> Check:
    return lambda value: [item(v) for v in value] if isinstance(value, list) else need(False, "malformed", "no list")


def plain_key(value: Any) -> bytes:
    return bytes(KEY(hexadecimal(value)))


TEXT = text()
GENESIS = named(
    network=text(r"(?s:.){1,64}"),
    time_ms=TIME,
    organisations=listed(named(code=CODE, name_ja=TEXT, name_en=TEXT)),
    accounts=listed(
        named(account_id=ACCOUNT_ID, organisation=CODE, roles=listed(TEXT), keys=listed(plain_key), revoked=boolean)
    ),
    nodes=listed(
        named(
            node_id=NODE_ID,
            organisation=CODE,
            public_key=plain_key,
            address=TEXT,
            standing=text("validator|observer|removed"),
        )
    ),
    parameters=named(
        leader_term_blocks=NUMBER, max_block_transactions=NUMBER, max_block_bytes=NUMBER, heartbeat_ms=NUMBER
    ),
    contracts=listed(named(contract=NAME, version=NUMBER, from_height=HEIGHT)),
    recovery=named(threshold=NUMBER, keys=listed(plain_key)),
)


def read_genesis(data: bytes) -> Genesis:
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Fault("bad_genesis", str(error)[:80]) from None
    fields = GENESIS(plain)
    network, time_ms, organisations, accounts, nodes, parameters, versions, recovery = fields
    distinct = [[f[0] for f in rows] for rows in (organisations, accounts, nodes, versions)]
    for values in (*distinct, [n[2] for n in nodes], recovery[1]):
        need(len(set(values)) == len(values), "bad_genesis", "something is there twice")
    keys = [*(n[2] for n in nodes), *recovery[1], *(key for account in accounts for key in account[3])]
    need(all(may_sign(key) for key in keys), "bad_genesis", "a key that may not sign")
    count = len(recovery[1])
    need(count == 0 or count < 2 * recovery[0] <= 2 * count, "bad_genesis", "the recovery threshold")
    chain_id = tagged("daicho/genesis/1", encode(fields))
    rows: dict[str, Any] = {"parameters/only": parameters, "genesis/only": [network, time_ms, recovery]}
    rows.update({f"organisation/{o[0]}": o for o in organisations})
    rows.update({f"account/{a[0]}": a for a in accounts})
    rows.update({f"operator/{a[1]}/{a[0]}": [] for a in accounts if "operator" in a[2]})
    rows.update({f"node/{n[0]}": n for n in nodes})
    rows.update({f"contract/{v[0]}": [[v]] for v in versions})
    root = state_root({f"governance/{key}".encode(): encode(value) for key, value in rows.items()})
    voting = sorted((n for n in nodes if n[4] == "validator"), key=lambda n: n[0])
    members = ValidatorSet(tuple(Validator(*n[:3]) for n in voting))
    need(bool(voting), "bad_genesis", "no validator")
    own, nothing = set_hash(members), merkle_root([])
    header = Header(chain_id, 0, ZERO, time_ms, "", 0, nothing, nothing, root, own, own)
    return Genesis(chain_id, header, members, Recovery(recovery[0], tuple(recovery[1])))


# -- 12. archives ------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    height: int
    block: bytes
    certificate: bytes | None
    receipts: tuple[bytes, ...]
    validators: bytes | None


RECORD = struct(Record, HEIGHT, blob(), optional(blob()), many(blob()), optional(blob()))


def read_archive(path: Path, chain_id: bytes) -> Iterator[Record]:
    """The records of an archive of either form, in order; Fault where it is damaged or cut."""
    with path.open("rb") as file:
        is_text = file.read(1) == b"{"
    height = 0
    try:
        for record in _text_records(path, chain_id) if is_text else _binary_records(path, chain_id):
            need(record.height == height, "not_the_record", f"it says that it is block {record.height}")
            yield record
            height += 1
    except Fault as fault:
        raise fault.at(height) from None


def _check_head(head: Any, chain_id: bytes | str) -> None:
    need(isinstance(head, dict) and head.get("format") == "daicho-archive/1", "not_an_archive")
    need(head.get("chain_id") == chain_id, "other_chain", "the archive is of another genesis than the one given")


def _binary_records(path: Path, chain_id: bytes) -> Iterator[Record]:
    total, blocks, at = hashlib.sha256(), -1, 0
    with path.open("rb") as file, path.open("rb") as again:
        stream = msgpack.Unpacker(file, raw=False, strict_map_key=False, max_buffer_size=MAX_RECORD)
        while True:
            try:
                value = stream.unpack()
            except msgpack.OutOfData:
                raise Fault("cut_short", "the archive has no end") from None
            except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
                raise Fault("damaged", f"no msgpack: {str(error)[:60]}") from None
            raw = again.read(stream.tell() - at)
            at = stream.tell()
            if blocks < 0:
                _check_head(value, chain_id)
            elif isinstance(value, dict):
                need(value == {"blocks": blocks, "sha256": total.digest()}, "damaged", "the end's count or checksum")
                need(at == path.stat().st_size, "damaged", "there is something after the end")
                return
            else:
                fits = isinstance(value, list) and len(value) == 2 and all(type(v) is bytes for v in value)
                need(fits and sha256(value[0]) == value[1], "damaged", "the record's checksum")
                yield RECORD(decode(value[0], MAX_RECORD))
            total.update(raw)
            blocks += 1


def _text_records(path: Path, chain_id: bytes) -> Iterator[Record]:
    total, blocks = hashlib.sha256(), -1
    with path.open("rb") as file:
        while line := file.readline(MAX_RECORD):
            body, _, rest = line.rpartition(b',"sha256":"')
            need(rest == hashlib.sha256(body).hexdigest().encode() + b'"}\n', "damaged", "the line's checksum")
            try:
                value = json.loads(line)
                if blocks < 0:
                    _check_head(value, chain_id.hex())
                elif "blocks" in value:
                    ends = (value["blocks"], value["sha256_of_all"]) == (blocks, total.hexdigest())
                    need(ends, "damaged", "the end's count or checksum")
                    need(not file.read(1), "damaged", "there is something after the end")
                    return
                else:
                    plain = [
                        None if value[k] is None else bytes.fromhex(value[k])
                        for k in ("block", "certificate", "validators")
                    ]
                    receipts = [bytes.fromhex(r) for r in value["receipts"]]
                    yield RECORD([value["height"], plain[0], plain[1], receipts, plain[2]])
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise Fault("damaged", f"not a block's line: {str(error)[:60]}") from None
            total.update(line)
            blocks += 1
    raise Fault("cut_short", "the archive has no end")


class Report(NamedTuple):
    """What was checked."""

    chain_id: str
    height: int
    head_hash: str
    state_root: str
    transactions: int
    seals: int
    refused_receipts: int
    inclusion_proofs: int
    validator_changes: list[int]
    recoveries: list[int]
    validators: list[str]


class Reader:
    """Goes through a chain block by block; knows no more than an auditor with the genesis."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.head, self.members = genesis.header, genesis.validators
        self.ids: set[bytes] = set()
        self.seals = self.refused = self.proofs = 0
        self.changes: list[int] = []
        self.recoveries: list[int] = []

    def take(self, record: Record) -> None:
        try:
            block: Block = BLOCK(decode(record.block, MAX_BLOCK))
            if record.height == 0:
                self._take_genesis(block, record)
            else:
                self._take_block(block, record)
        except Fault as fault:
            raise fault.at(record.height) from None

    def _take_genesis(self, block: Block, record: Record) -> None:
        need(block.header == self.head and not block.transactions, "wrong_genesis", "not the given genesis' block")
        need(record[2:] == (None, (), None), "wrong_genesis", "the genesis block has no certificate and no receipts")

    def _take_block(self, block: Block, record: Record) -> None:
        header, parent, own = block.header, self.head, set_hash(self.members)
        need(header.chain_id == parent.chain_id, "wrong_chain")
        need(header.height == parent.height + 1 == record.height, "wrong_height")
        need(header.parent_hash == header_hash(parent), "wrong_parent")
        need(header.time_ms >= parent.time_ms, "time_before_parent")
        need(header.validators_hash == parent.next_validators_hash == own, "wrong_validators")
        need(header.proposer in {"*", *(v.node_id for v in self.members.members)}, "unknown_proposer")
        need(record.certificate is not None, "no_certificate")
        certificate: Certificate = CERTIFICATE(decode(record.certificate or b""))
        recovered = check_certificate(header, certificate, self.members, self.genesis.recovery)
        bodies = self._transactions(block)
        receipts = self._receipts(block, record, bodies)
        if header.proposer == "*":
            calls = [(b.contract, b.method, r.reason) for (_, b), r in zip(bodies, receipts, strict=True)]
            need(calls == [("governance", "recover", "")], "bad_recovery")
        self._next_set(header, record)
        self.recoveries += [header.height] if recovered else []
        self.seals += len(certificate.seals)
        self.head = header

    def _transactions(self, block: Block) -> list[tuple[bytes, Body]]:
        header = block.header
        need(len(block.transactions) == header.transaction_count, "wrong_count")
        need(merkle_root(block.transactions) == header.transactions_root, "wrong_transactions_root")
        found = []
        for index, raw in enumerate(block.transactions):
            try:
                transaction_id, body = read_transaction(raw)
                need(body.chain_id == header.chain_id, "foreign_chain")
                lives_ms = body.expires_at_ms - header.time_ms
                need(0 < lives_ms <= HOUR_MS, "expired" if lives_ms <= 0 else "expires_too_late")
                need(transaction_id not in self.ids, "duplicate", "this transaction stands in the chain already")
            except Fault as fault:
                raise fault.at(header.height, index) from None
            self.ids.add(transaction_id)
            found.append((transaction_id, body))
        return found

    def _receipts(self, block: Block, record: Record, bodies: list[tuple[bytes, Body]]) -> list[Receipt]:
        header, count = block.header, len(bodies)
        need(merkle_root(record.receipts) == header.receipts_root, "wrong_receipts_root")
        need(len(record.receipts) == count, "wrong_count", "not one receipt for each transaction")
        receipts: list[Receipt] = []
        for index, (raw, (transaction_id, _)) in enumerate(zip(record.receipts, bodies, strict=True)):
            receipt: Receipt = RECEIPT(decode(raw, MAX_BLOCK))
            if receipt.transaction_id != transaction_id:
                raise Fault("wrong_receipt", "a receipt of another transaction", header.height, index)
            receipts.append(receipt)
        self.refused += sum(r.reason != "" for r in receipts)
        if count:
            # One place in each block: the paths that a proof of it would hold lead to the header's roots.
            at = header.height % count
            for leaves, root in (
                (block.transactions, header.transactions_root),
                (record.receipts, header.receipts_root),
            ):
                path = merkle_path(leaves, at)
                need(is_included(root, leaves[at], at, count, path), "not_included")
                self.proofs += 1
        return receipts

    def _next_set(self, header: Header, record: Record) -> None:
        if header.next_validators_hash == header.validators_hash:
            need(record.validators is None, "wrong_next_validators", "a set where none changed")
            return
        need(record.validators is not None, "wrong_next_validators", "the set that votes from here on is missing")
        members = read_validators(record.validators or b"")
        need(
            set_hash(members) == header.next_validators_hash, "wrong_next_validators", "not the set that was certified"
        )
        self.members = members
        self.changes.append(header.height)

    def report(self) -> Report:
        return Report(
            chain_id=self.genesis.chain_id.hex(),
            height=self.head.height,
            head_hash=header_hash(self.head).hex(),
            state_root=self.head.state_root.hex(),
            transactions=len(self.ids),
            seals=self.seals,
            refused_receipts=self.refused,
            inclusion_proofs=self.proofs,
            validator_changes=self.changes,
            recoveries=self.recoveries,
            validators=[v.node_id for v in self.members.members],
        )


def verify_archive(genesis: Genesis, archive: Path) -> Report:
    """Fault at the first rule that an archive breaks."""
    reader, count = Reader(genesis), 0
    for record in read_archive(archive, genesis.chain_id):
        reader.take(record)
        count += 1
    need(count > 0, "cut_short", "the archive has no block")
    return reader.report()


# -- 13. the proof of one transaction ----------------------------------------------------------------------------------


def check_inclusion(proof: Inclusion, transaction_id: bytes, members: ValidatorSet, recovery: Recovery) -> Receipt:
    """What became of a transaction, if `members` voted at its height; Fault unless it is proved."""
    header, count = proof.header, proof.header.transaction_count
    need(header.validators_hash == set_hash(members), "wrong_validators", "another set voted at this height")
    if proof.certificate is None:
        raise Fault("no_certificate")
    check_certificate(header, proof.certificate, members, recovery)
    leaves = (
        (header.transactions_root, proof.transaction, proof.transaction_path),
        (header.receipts_root, proof.receipt, proof.receipt_path),
    )
    for root, leaf, path in leaves:
        need(is_included(root, leaf, proof.place, count, path), "not_included")
    receipt: Receipt = RECEIPT(decode(proof.receipt, MAX_BLOCK))
    found = read_transaction(proof.transaction)[0]
    need(found == receipt.transaction_id == transaction_id, "other_transaction")
    return receipt


# -- proof files (docs/proof-format.md) --------------------------------------------------------------------------------


def anything(value: Any) -> Any:
    """A field that the struct's own check judges."""
    return value


PLAIN_HEADER = named(
    chain_id=hexadecimal,
    height=anything,
    parent_hash=hexadecimal,
    time_ms=anything,
    proposer=anything,
    transaction_count=anything,
    transactions_root=hexadecimal,
    receipts_root=hexadecimal,
    state_root=hexadecimal,
    validators_hash=hexadecimal,
    next_validators_hash=hexadecimal,
)
PLAIN_CERTIFICATE = named(
    height=anything,
    round=anything,
    block_hash=hexadecimal,
    seals=listed(named(node_id=anything, signature=hexadecimal)),
)
PLAIN_PROOF = named(
    format=text("daicho/proof/1"),
    chain_id=hexadecimal,
    kind=text("transaction|subject|state"),
    about=TEXT,
    validator_changes=listed(
        named(
            header=PLAIN_HEADER,
            certificate=PLAIN_CERTIFICATE,
            members=listed(named(node_id=anything, organisation=anything, public_key=hexadecimal)),
        )
    ),
    steps=listed(
        named(
            header=PLAIN_HEADER,
            certificate=optional(PLAIN_CERTIFICATE),
            index=anything,
            transaction=hexadecimal,
            transaction_path=listed(hexadecimal),
            receipt=hexadecimal,
            receipt_path=listed(hexadecimal),
        )
    ),
    row=optional(
        named(
            header=PLAIN_HEADER,
            certificate=optional(PLAIN_CERTIFICATE),
            key=hexadecimal,
            value=optional(hexadecimal),
            nodes=listed(hexadecimal),
        )
    ),
)


class Row(NamedTuple):
    header: Header
    certificate: Certificate | None
    key: bytes
    value: bytes | None
    nodes: tuple[bytes, ...]


class Change(NamedTuple):
    header: Header
    certificate: Certificate
    members: tuple[Validator, ...]


ROW = struct(Row, HEADER, optional(CERTIFICATE), blob(), optional(blob()), many(blob()))
CHANGE = struct(Change, HEADER, CERTIFICATE, many(struct(Validator, NODE_ID, CODE, KEY)))


class Proved(NamedTuple):
    """What a proof file proves."""

    kind: str
    about: str
    height: int
    steps: list[str]
    row: str | None


def verify_proof(genesis: Genesis, data: bytes) -> Proved:
    """Fault unless the file proves what it says."""
    try:
        plain = json.loads(data)
        again = json.dumps(plain, ensure_ascii=False, indent=1).encode()
    except (ValueError, RecursionError) as error:
        raise Fault("malformed", str(error)[:80]) from None
    need(again == data.rstrip(), "malformed", "the file is not as it was made")
    _, chain_id, kind, about, raw_changes, raw_steps, raw_row = PLAIN_PROOF(plain)
    need(chain_id == genesis.chain_id, "other_chain")
    steps: list[Inclusion] = [INCLUSION(step) for step in raw_steps]
    row: Row | None = None if raw_row is None else ROW(raw_row)
    heights = [s.header.height for s in steps] + ([row.header.height] if row else [])
    need(bool(heights), "malformed", "neither a step nor a row")
    changes: list[Change] = [CHANGE(change) for change in raw_changes]
    need(all(c.header.height < max(heights) for c in changes), "malformed", "a change that is not needed")
    sets = _learned_sets(genesis, changes)

    def voting_at(height: int) -> ValidatorSet:
        return [members for start, members in sets if start <= height][-1] if height > 0 else genesis.validators

    receipts = [_proved_step(genesis, step, voting_at(step.header.height)) for step in steps]
    if row is not None:
        _check_proved_header(genesis, row.header, row.certificate, voting_at(row.header.height))
        check_state(row.header.state_root, row.key, row.value, StateProof(row.nodes))
    places = [(s.header.height, s.place) for s in steps]
    ids = [r.transaction_id.hex() for r in receipts]
    told = all(any(about in event.subjects for event in r.events) for r in receipts)
    fits = {
        "transaction": row is None and ids == [about],
        "subject": row is None and told and places == sorted(set(places)),
        "state": row is not None and not steps and row.key == about.encode(),
    }
    need(fits[kind], "other_claim", "what is proved is not what the file says it is about")
    value = None if row is None else "no such row" if row.value is None else row.value.hex()
    return Proved(kind, about, max(heights), ids, value)


def _learned_sets(genesis: Genesis, changes: list[Change]) -> list[tuple[int, ValidatorSet]]:
    """Who votes from which height on."""
    sets = [(1, genesis.validators)]
    for change in changes:
        start, members = sets[-1]
        need(change.header.height >= start, "malformed", "the changes are not in their order")
        _check_proved_header(genesis, change.header, change.certificate, members)
        following = ValidatorSet(change.members)
        need(set_hash(following) == change.header.next_validators_hash, "wrong_next_validators")
        sets.append((change.header.height + 1, following))
    return sets


def _check_proved_header(
    genesis: Genesis, header: Header, certificate: Certificate | None, members: ValidatorSet
) -> None:
    need(header.chain_id == genesis.chain_id, "other_chain")
    if header.height == 0:
        need(header == genesis.header, "wrong_genesis")
        return
    need(header.validators_hash == set_hash(members), "wrong_validators", "a change of the validators is missing")
    if certificate is None:
        raise Fault("no_certificate")
    check_certificate(header, certificate, members, genesis.recovery)


def _proved_step(genesis: Genesis, step: Inclusion, members: ValidatorSet) -> Receipt:
    need(step.header.chain_id == genesis.chain_id, "other_chain")
    return check_inclusion(step, read_transaction(step.transaction)[0], members, genesis.recovery)


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an archive of a chain, or a proof, against a genesis.")
    parser.add_argument("file", type=Path, help="a file that `daicho export` made, of either form")
    parser.add_argument("--proof", action="store_true", help="the file is one that `daicho prove` made")
    parser.add_argument("--genesis", type=Path, required=True, help="the auditor's own copy of genesis.json")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    given = parser.parse_args(arguments)
    try:
        genesis = read_genesis(given.genesis.read_bytes())
        found = verify_proof(genesis, given.file.read_bytes()) if given.proof else verify_archive(genesis, given.file)
        report: dict[str, Any] = found._asdict()
    except Fault as fault:
        where = {"rule": fault.rule, "detail": fault.detail, "height": fault.height, "index": fault.index}
        print(json.dumps({"ok": False, **where}) if given.json else f"FAULT: {fault}")
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({"ok": True, **report}))
    else:
        print("\n".join(f"{name.replace('_', ' '):18} {value}" for name, value in report.items()))
        print("all that was read holds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
