"""What the reader refuses even where a quorum has signed it: every rule of the page, broken one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from edge.archive import write_archive
from ledger import merkle, recovery
from ledger.audit import StoredBlock
from ledger.encoding import pack, unpack
from ledger.genesis import dump_genesis
from ledger.types import (
    ZERO_HASH,
    Block,
    Certificate,
    Header,
    Receipt,
    Seal,
    SignedTransaction,
    Transaction,
    TransactionBody,
    Validator,
    ValidatorSet,
)
from ledger.votes import commit_payload
from tests.independent import verify
from tests.independent.chain import OSHIMA, START_MS, Sample, key_of, make_chain

NODES = ("hachioji", "hachioji-2", "oshima", "tachikawa")


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_chain()


def sealed(header: Header, transactions: tuple[bytes, ...], receipts: tuple[bytes, ...]) -> StoredBlock:
    """A block that three of the genesis' four validators have signed, whatever it holds."""
    payload = commit_payload(header.chain_id, header.height, 0, header.hash)
    seals = tuple(Seal(node_id, key_of(node_id).sign(payload)) for node_id in NODES[:3])
    certificate = Certificate(header.height, 0, header.hash, seals)
    return StoredBlock(header.height, pack(Block(header, transactions)), pack(certificate), receipts)


def forged(sample: Sample, **header: object) -> StoredBlock:
    """Block 1 with other fields in its header."""
    block = sample.chain.block(1)
    assert block is not None
    made = changed(block.header, **header)
    return sealed(made, block.transactions, sample.chain.raw_receipts(1))


def holding(
    sample: Sample, *transactions: bytes, receipts: tuple[bytes, ...] | None = None, **header: object
) -> StoredBlock:
    """Block 1 with these transactions, and receipts that fit."""
    parent = sample.chain.header(0)
    assert parent is not None
    if receipts is None:
        receipts = tuple(pack(Receipt(identity(raw), "", {}, (), {})) for raw in transactions)
    count, roots = len(transactions), (merkle.root(transactions), merkle.root(receipts))
    fields: dict[str, object] = {"parent_hash": parent.hash, "height": 1, "time_ms": START_MS + 1_500,
                                 "proposer": "hachioji", "transaction_count": count}  # fmt: skip
    made = changed(parent, **{**fields, "transactions_root": roots[0], "receipts_root": roots[1], **header})
    return sealed(made, transactions, receipts)


def identity(raw: bytes) -> bytes:
    return Transaction.parse(raw).id


def call(sample: Sample, **fields: object) -> TransactionBody:
    """A call as it may stand in block 1, but for these fields."""
    key = key_of("clerk").public_key
    body = TransactionBody(
        sample.chain.chain_id, "clerk", key, "governance", "sweep", b"\x80", bytes(16), START_MS + 60_000
    )
    return changed(body, **fields)


def signed(body: TransactionBody) -> bytes:
    return Transaction.sign(body, key_of("clerk")).raw


def rule(sample: Sample, tmp_path: Path, *blocks: StoredBlock) -> tuple[str, int | None, int | None]:
    """What the reader says of the genesis block with these behind it."""
    first = next(iter(sample.blocks()))
    write_archive(tmp_path / "archive", "archive", sample.chain.chain_id, [first, *blocks])
    genesis = verify.read_genesis(dump_genesis(sample.genesis).encode())
    with pytest.raises(verify.Fault) as fault:
        verify.verify_archive(genesis, tmp_path / "archive")
    return fault.value.rule, fault.value.height, fault.value.index


def test_what_these_tests_forge_would_pass_if_nothing_were_wrong(sample: Sample, tmp_path: Path) -> None:
    first = next(iter(sample.blocks()))
    genesis = verify.read_genesis(dump_genesis(sample.genesis).encode())
    for block in (forged(sample), holding(sample, signed(call(sample)))):
        write_archive(tmp_path / "archive", "archive", sample.chain.chain_id, [first, block])
        assert verify.verify_archive(genesis, tmp_path / "archive").height == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"chain_id": ZERO_HASH}, "wrong_chain"),
        ({"height": 2}, "wrong_height"),
        ({"parent_hash": ZERO_HASH}, "wrong_parent"),
        ({"time_ms": START_MS - 1}, "time_before_parent"),
        ({"proposer": "niijima"}, "unknown_proposer"),
        ({"proposer": ""}, "unknown_proposer"),
        ({"transaction_count": 3}, "wrong_count"),
        ({"transactions_root": ZERO_HASH}, "wrong_transactions_root"),
        ({"receipts_root": ZERO_HASH}, "wrong_receipts_root"),
        ({"validators_hash": ZERO_HASH}, "wrong_validators"),
        ({"next_validators_hash": ZERO_HASH}, "wrong_next_validators"),
    ],
)
def test_a_header_that_breaks_a_rule_is_found(
    sample: Sample, tmp_path: Path, fields: dict[str, object], expected: str
) -> None:
    block = replace(forged(sample, **fields), height=1)
    assert rule(sample, tmp_path, block) == (expected, 1, None)


BODIES: list[tuple[dict[str, object], str]] = [
    ({"chain_id": ZERO_HASH}, "foreign_chain"),
    ({"expires_at_ms": START_MS + 1_500}, "expired"),
    ({"expires_at_ms": START_MS + 1_501 + 3_600_000}, "expires_too_late"),
    ({"public_key": key_of("shelter").public_key}, "bad_signature"),
    ({"sender": "Clerk"}, "malformed"),
    ({"nonce": bytes(15)}, "malformed"),
]


@pytest.mark.parametrize(("fields", "expected"), BODIES)
def test_a_transaction_that_may_not_stand_in_a_block_is_found_with_its_place(
    sample: Sample, tmp_path: Path, fields: dict[str, object], expected: str
) -> None:
    body = pack(call(sample, **fields))
    raw = pack(SignedTransaction(body, key_of("clerk").sign(b"daicho/transaction/1\x00" + body)))
    good = signed(call(sample))
    receipts = tuple(pack(Receipt(bytes([n]) * 32, "", {}, (), {})) for n in range(2))
    assert rule(sample, tmp_path, holding(sample, good, raw, receipts=receipts)) == (expected, 1, 1)


def test_a_transaction_that_stands_there_twice_is_found(sample: Sample, tmp_path: Path) -> None:
    raw = signed(call(sample))
    assert rule(sample, tmp_path, holding(sample, raw, raw)) == ("duplicate", 1, 1)
    first = holding(sample, raw)
    parent = unpack(Block, first.raw).header
    second = holding(sample, raw, height=2, parent_hash=parent.hash)
    assert rule(sample, tmp_path, first, second) == ("duplicate", 2, 0)


def test_the_bounds_of_a_transactions_life_are_those_of_the_page(sample: Sample, tmp_path: Path) -> None:
    first = next(iter(sample.blocks()))
    genesis = verify.read_genesis(dump_genesis(sample.genesis).encode())
    lives = [signed(call(sample, expires_at_ms=START_MS + 1_500 + ms, nonce=bytes([1 + i]) * 16))
             for i, ms in enumerate((1, 3_600_000))]  # fmt: skip
    write_archive(tmp_path / "archive", "archive", sample.chain.chain_id, [first, holding(sample, *lives)])
    assert verify.verify_archive(genesis, tmp_path / "archive").transactions == 2


@pytest.mark.parametrize(
    ("receipts", "expected", "index"),
    [
        (lambda own: (), "wrong_count", None),
        (lambda own: (own, own), "wrong_count", None),
        (lambda own: (pack(Receipt(bytes(32), "", {}, (), {})),), "wrong_receipt", 0),
        (lambda own: (own + b"\xc0",), "malformed", None),
        (lambda own: (own[:-3] + b"\x90\x90\x80",), "malformed", None),  # an array for the params
        (lambda own: (own[:-3] + b"\x81\xa1a\x90\x90\x80",), "malformed", None),  # an array among the params
        (lambda own: (own[:-3] + b"\x80\x80\x80",), "malformed", None),  # a map for the events
        (lambda own: (own.replace(b"\xa0", b"\xd9\x00", 1),), "not_canonical", None),
    ],
)
def test_receipts_that_do_not_fit_are_found(
    sample: Sample,
    tmp_path: Path,
    receipts: Callable[[bytes], tuple[bytes, ...]],
    expected: str,
    index: int | None,
) -> None:
    raw = signed(call(sample))
    own = pack(Receipt(identity(raw), "", {}, (), {}))
    assert rule(sample, tmp_path, holding(sample, raw, receipts=receipts(own))) == (expected, 1, index)


def recovery_block(sample: Sample, *calls: TransactionBody, reason: str = "") -> StoredBlock:
    """Block 1 proposed by nobody, and sealed by two recovery keys."""
    raws = tuple(signed(body) for body in calls)
    receipts = tuple(pack(Receipt(identity(raw), reason, {}, (), {})) for raw in raws)
    plain = holding(sample, *raws, receipts=receipts, proposer=recovery.PROPOSER)
    header = unpack(Block, plain.raw).header
    seals = tuple(
        recovery.seal(header, sample.genesis.recovery, key_of(f"recovery.{code}")) for code in ("132012", OSHIMA)
    )
    return replace(plain, certificate=pack(Certificate(1, 0, header.hash, seals)))


def test_a_recovery_block_holds_the_recovery_and_nothing_else(sample: Sample, tmp_path: Path) -> None:
    recover = call(sample, method="recover")
    for block in (
        recovery_block(sample),
        recovery_block(sample, call(sample)),
        recovery_block(sample, recover, call(sample)),
        recovery_block(sample, recover, reason="governance.no_node"),
        recovery_block(sample, call(sample, method="recover", contract="donations")),
    ):
        assert rule(sample, tmp_path, block) == ("bad_recovery", 1, None)


def test_a_quorums_seals_do_not_certify_a_recovery_block(sample: Sample, tmp_path: Path) -> None:
    block = holding(sample, signed(call(sample, method="recover")), proposer=recovery.PROPOSER)
    assert rule(sample, tmp_path, block) == ("not_a_signer", 1, None)


def test_without_recovery_keys_nobody_recovers(sample: Sample) -> None:
    header = unpack(Block, recovery_block(sample, call(sample, method="recover")).raw).header
    read = verify.HEADER(verify.decode(pack(header)))
    with pytest.raises(verify.Fault) as fault:
        members = verify.read_genesis(dump_genesis(sample.genesis).encode()).validators
        verify.check_certificate(read, verify.Certificate(1, 0, header.hash, ()), members, verify.Recovery(0, ()))
    assert fault.value.rule == "no_recovery_keys"


@pytest.mark.parametrize("places", [(), (1, 0, 2, 3), (0, 0, 1, 2)])
def test_a_set_that_is_empty_unsorted_or_holds_one_twice_is_none(
    sample: Sample, tmp_path: Path, places: tuple[int, ...]
) -> None:
    nodes = sample.genesis.nodes
    chosen = [nodes[place] for place in places]
    members = ValidatorSet(tuple(Validator(n.node_id, n.organisation, n.public_key) for n in chosen))
    block = forged(sample, next_validators_hash=members.hash)
    assert rule(sample, tmp_path, replace(block, validators=pack(members))) == ("wrong_validators", 1, None)


def test_a_genesis_block_with_anything_more_is_found(sample: Sample, tmp_path: Path) -> None:
    first = next(iter(sample.blocks()))
    genesis = verify.read_genesis(dump_genesis(sample.genesis).encode())
    block = unpack(Block, first.raw)
    others = [
        replace(first, certificate=b""),
        replace(first, receipts=(b"",)),
        replace(first, validators=pack(ValidatorSet(()))),
        replace(first, raw=pack(changed(block, transactions=(b"",)))),
        replace(first, raw=pack(changed(block, header=changed(block.header, state_root=ZERO_HASH)))),
    ]
    for other in others:
        write_archive(tmp_path / "archive", "archive", sample.chain.chain_id, [other])
        with pytest.raises(verify.Fault) as fault:
            verify.verify_archive(genesis, tmp_path / "archive")
        assert (fault.value.rule, fault.value.height) == ("wrong_genesis", 0)


def test_the_state_root_of_the_genesis_is_computed_from_its_rows(sample: Sample) -> None:
    genesis = sample.genesis
    header = verify.read_genesis(dump_genesis(genesis).encode()).header
    assert header.state_root == unpack(Block, next(iter(sample.blocks())).raw).header.state_root
    without = changed(genesis, accounts=tuple(changed(a, roles=()) for a in genesis.accounts))
    assert verify.read_genesis(dump_genesis(without).encode()).header.state_root != header.state_root
