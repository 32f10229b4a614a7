"""The rules of the ledger: what may enter, what a block must be, what a certificate must prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.donations import masters
from ledger import rules
from ledger.chain import Chain, ChainReason
from ledger.encoding import pack
from ledger.genesis import GenesisReason, dump_genesis, load_genesis
from ledger.refusal import Reason, Refused
from ledger.rules import BlockReason, CertificateReason
from ledger.types import (
    MAX_LIFETIME_MS,
    Block,
    Certificate,
    Header,
    Seal,
    SignedTransaction,
    Transaction,
    TransactionReason,
)
from ledger.votes import commit_payload
from tests.contracts.world import HACHIOJI, World, account, key_of


@pytest.fixture
def world() -> World:
    made = World(account("admin", HACHIOJI, masters.ADMIN), account("clerk", HACHIOJI))
    made.done(
        "admin", "donations", "register_item", item="rice", name_ja="米", name_en="Rice", category="food", unit_ja="袋"
    )
    return made


def refusal(work: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as refused:
        work()
    return refused.value.reason


def item(world: World, name: str, sender: str = "admin") -> Transaction:
    return world.transaction(
        sender, "donations", "register_item", item=name, name_ja="品", name_en="X", category="food", unit_ja="個"
    )


def signed(world: World, **changes: Any) -> Transaction:
    body = replace(item(world, "x").body, **changes)
    return Transaction.sign(body, key_of(body.sender))


def check(world: World, transaction: Transaction) -> object:
    chain = world.chain
    return rules.check_transaction(chain.chain_id, chain.state, chain.height_of, transaction, world.time_ms)


def test_what_may_not_enter_is_refused_by_name(world: World) -> None:
    now = world.time_ms
    assert refusal(lambda: check(world, signed(world, chain_id=bytes(32)))) is TransactionReason.FOREIGN_CHAIN
    assert refusal(lambda: check(world, signed(world, expires_at_ms=now))) is TransactionReason.EXPIRED
    late = signed(world, expires_at_ms=now + MAX_LIFETIME_MS + 1)
    assert refusal(lambda: check(world, late)) is TransactionReason.EXPIRES_TOO_LATE
    nobody = key_of("nobody")
    stranger = Transaction.sign(replace(item(world, "x").body, sender="nobody", public_key=nobody.public_key), nobody)
    assert refusal(lambda: check(world, stranger)) is TransactionReason.UNKNOWN_ACCOUNT
    other = Transaction.sign(replace(item(world, "x").body, public_key=nobody.public_key), nobody)
    assert refusal(lambda: check(world, other)) is TransactionReason.UNKNOWN_KEY
    done = item(world, "y")
    world.block(done)
    assert refusal(lambda: check(world, done)) is TransactionReason.DUPLICATE


def test_a_committed_transaction_never_enters_again_and_twice_in_a_block_counts_once(world: World) -> None:
    once = item(world, "y")
    assert len(world.block(once, once)) == 1
    assert world.block(once) == []


def test_a_refused_call_leaves_only_its_receipt(world: World) -> None:
    before = world.chain.head.state_root
    (receipt,) = world.block(item(world, "rice"))
    assert receipt.reason == "donations.item_exists"
    assert world.chain.head.state_root == before
    assert world.runtime.reason_text(receipt.reason, receipt.params, "ja") == "品目 rice は既に登録されています"


def built(world: World) -> rules.ExecutedBlock:
    world.time_ms += 1
    transactions = [item(world, "soup"), item(world, "tea", "clerk")]
    return rules.build_block(world.chain, world.runtime, transactions, time_ms=world.time_ms, proposer="node-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain_id": bytes(32)}, BlockReason.WRONG_CHAIN),
        ({"height": 9}, BlockReason.WRONG_HEIGHT),
        ({"parent_hash": bytes(32)}, BlockReason.WRONG_PARENT),
        ({"time_ms": 5}, BlockReason.TIME_BEFORE_PARENT),
        ({"proposer": "node-9"}, BlockReason.UNKNOWN_PROPOSER),
        ({"transaction_count": 1}, BlockReason.WRONG_COUNT),
        ({"transactions_root": bytes(32)}, BlockReason.WRONG_TRANSACTIONS_ROOT),
        ({"receipts_root": bytes(32)}, BlockReason.WRONG_RECEIPTS_ROOT),
        ({"state_root": bytes(32)}, BlockReason.WRONG_STATE_ROOT),
        ({"validators_hash": bytes(32)}, BlockReason.WRONG_VALIDATORS),
        ({"next_validators_hash": bytes(32)}, BlockReason.WRONG_NEXT_VALIDATORS),
    ],
)
def test_every_field_of_a_header_is_checked(world: World, changes: dict[str, Any], reason: BlockReason) -> None:
    block = built(world).block
    raw = pack(Block(replace(block.header, **changes), block.transactions))
    found = refusal(lambda: rules.check_block(world.chain, world.runtime, raw, is_signed=Transaction.is_signed))
    assert found is reason


def test_every_field_of_a_header_is_in_that_test() -> None:
    assert len(Header.__struct_fields__) == 11


def test_a_block_with_a_wrong_signature_names_the_transaction(world: World) -> None:
    good = built(world)
    first = good.transactions[0]
    forged = pack(SignedTransaction(pack(first.body), bytes(64)))
    with pytest.raises(Refused) as refused:
        rules.check_block(
            world.chain,
            world.runtime,
            rules.build_block(
                world.chain, world.runtime, [Transaction.parse(forged)], time_ms=world.time_ms, proposer="node-1"
            ).raw,
            is_signed=Transaction.is_signed,
        )
    assert refused.value.reason is BlockReason.BAD_TRANSACTION
    assert refused.value.params["transaction"] == first.id.hex()


def test_building_and_checking_come_to_the_same_block(world: World) -> None:
    made = built(world)
    checked = rules.check_block(world.chain, world.runtime, made.raw, is_signed=Transaction.is_signed)
    assert checked == made
    assert [r.reason for r in checked.receipts] == ["", "runtime.missing_role"]


def test_a_fresh_proposal_is_at_most_five_seconds_ahead(world: World) -> None:
    header = built(world).block.header
    rules.check_proposal_time(header, header.time_ms - 5_000)
    assert refusal(lambda: rules.check_proposal_time(header, header.time_ms - 5_001)) is BlockReason.TIME_AHEAD


def test_a_certificate_needs_a_quorum_of_distinct_valid_seals(world: World) -> None:
    made = built(world)
    header, validators = made.block.header, world.chain.validators
    payload = commit_payload(header.chain_id, header.height, 0, made.digest)
    seal = Seal("node-1", key_of("node-1").sign(payload))
    good = Certificate(header.height, 0, made.digest, (seal,))
    rules.check_certificate(header, good, validators)
    for changes, reason in (
        ({"seals": ()}, CertificateReason.NO_QUORUM),
        ({"seals": (seal, seal)}, CertificateReason.SIGNED_TWICE),
        ({"seals": (Seal("node-2", seal.signature),)}, CertificateReason.NOT_A_VALIDATOR),
        ({"seals": (Seal("node-1", bytes(64)),)}, CertificateReason.BAD_SEAL),
        ({"round": 1}, CertificateReason.BAD_SEAL),
        ({"block_hash": bytes(32)}, CertificateReason.OTHER_BLOCK),
        ({"height": 1}, CertificateReason.OTHER_BLOCK),
    ):
        bad = replace(good, **changes)
        assert refusal(lambda bad=bad: rules.check_certificate(header, bad, validators)) is reason  # type: ignore[misc]


def test_a_genesis_is_read_back_as_it_was_written_and_names_what_is_wrong(world: World) -> None:
    text = dump_genesis(world.genesis)
    assert load_genesis(text) == world.genesis
    assert load_genesis(text).chain_id == world.chain.chain_id
    assert refusal(lambda: load_genesis("[")) is GenesisReason.NOT_JSON
    assert refusal(lambda: load_genesis(text.replace('"standing": "validator"', '"standing": "king"'))) is (
        GenesisReason.BAD_FIELD
    )
    assert refusal(lambda: load_genesis(text.replace('"organisation": "132012"', '"organisation": "999999"'))) is (
        GenesisReason.UNKNOWN_ORGANISATION
    )


def test_a_store_opens_only_with_its_own_genesis_and_a_sound_head(world: World) -> None:
    other = replace(world.genesis, network="another")
    assert refusal(lambda: Chain.open(world.kv, other)) is GenesisReason.OTHER_GENESIS
    root = world.kv.get(b"n")
    assert root is not None
    world.kv.write({b"n": root[:-1] + bytes([root[-1] ^ 1])})
    assert refusal(lambda: Chain.open(world.kv, world.genesis)) is ChainReason.DAMAGED
