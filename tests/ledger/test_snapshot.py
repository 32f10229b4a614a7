"""Snapshots: what they restore, what they refuse, and that nothing is taken twice after them."""

from __future__ import annotations

import io
import random

import pytest
from msgspec.structs import replace

from edge.snapshot import read_payloads, stream
from ledger import layout, rules
from ledger.chain import Chain
from ledger.encoding import pack
from ledger.kv import MemoryKeyValue, after_prefix
from ledger.refusal import Refused
from ledger.snapshot import Head, Kept, Record, Restore, Restored, Rows, SnapshotReason, records
from ledger.types import Transaction, TransactionReason
from tests.contracts.world import HACHIOJI, World, account
from tests.independent.chain import Sample, make_chain


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Validators that come, change their key and go, and a recovery."""
    return make_chain()


def found(sample: Sample) -> list[Record]:
    return list(records(sample.chain._kv))


def restored(sample: Sample, given: list[Record]) -> tuple[MemoryKeyValue, Restored]:
    kv = MemoryKeyValue()
    taken = Restore(sample.genesis, kv)
    for record in given:
        taken.take(pack(record))
    return kv, taken.finish()


def test_a_restored_state_is_that_of_the_replayed_one(sample: Sample) -> None:
    kv, what = restored(sample, found(sample))
    chain = Chain.open(kv, sample.genesis)
    assert chain.head == sample.chain.head and chain.validators == sample.chain.validators
    assert what.state_root == sample.chain.head.state_root.hex()
    for kind in (layout.STATE, layout.NODE, layout.VALIDATORS):
        theirs, ours = (list(k.scan(kind, after_prefix(kind))) for k in (sample.chain._kv, kv))
        assert ours == theirs, kind
    assert chain.validator_changes(0, 100) == sample.chain.validator_changes(0, 100)
    for height, _ in chain.validator_changes(0, 100):
        assert chain.header(height) == sample.chain.header(height)


def test_a_snapshot_of_a_restored_store_is_the_same_snapshot(sample: Sample) -> None:
    kv, _ = restored(sample, found(sample))
    assert list(records(kv)) == found(sample)


def test_what_is_in_the_chain_is_never_taken_again() -> None:
    world = World(account("admin", HACHIOJI, "donations.admin"))
    fields = {"name_ja": "避難所", "name_en": "Shelter"}
    old = world.transaction("admin", "donations", "register_shelter", shelter="a-1", **fields)
    world.block(old)
    world.time_ms += 2 * 3_600_000
    recent = world.transaction("admin", "donations", "register_shelter", shelter="a-2", **fields)
    world.block(recent)
    kv = MemoryKeyValue()
    taken = Restore(world.genesis, kv)
    for record in records(world.kv):
        taken.take(pack(record))
    what = taken.finish()
    chain = Chain.open(kv, world.genesis)
    assert (what.height, what.first_height, chain.first_height) == (2, 2, 2)
    for again, reason in ((recent, TransactionReason.DUPLICATE), (old, TransactionReason.EXPIRED)):
        with pytest.raises(Refused) as refused:
            rules.check_transaction(chain.chain_id, chain.state, chain.height_of, again, world.time_ms)
        assert refused.value.reason is reason
    assert chain.raw_block(1) is None and [e.event.name for e in chain.history("shelter:a-2")] == ["shelter_registered"]
    assert Transaction.parse(recent.raw).id == recent.id


def test_every_kind_of_lie_is_refused(sample: Sample) -> None:
    whole = found(sample)
    head = whole[0]
    assert isinstance(head, Head)
    kept = [at for at, r in enumerate(whole) if isinstance(r, Kept)]
    rows = [at for at, r in enumerate(whole) if isinstance(r, Rows)]
    last_rows = whole[rows[-1]]
    assert isinstance(last_rows, Rows) and len(kept) > 3
    key, value = last_rows.rows[0]
    block = whole[kept[-1]]
    assert isinstance(block, Kept)
    lies: list[list[Record]] = [
        whole[:-1],
        whole[1:],
        [head, *whole],
        [replace(head, chain_id=bytes(32)), *whole[1:]],
        [replace(head, height=head.height + 1), *whole[1:]],
        [replace(head, first_height=head.height), *whole[1:]],
        [*whole[: rows[-1]], Rows(((key, value + b"\x00"), *last_rows.rows[1:]))],
        [*whole[: rows[-1]], Rows(last_rows.rows[1:])],
        [*whole[: rows[-1]], Rows((*last_rows.rows, (b"\xff", b"\xc0")))],
        [*whole[: rows[-1]], Rows(last_rows.rows[::-1])],
        [*whole, Rows(())],
        [*whole[: kept[-1]], replace(block, certificate=None), *whole[kept[-1] + 1 :]],
        [*whole[: kept[-1]], replace(block, receipts=(*block.receipts, b"\x90")), *whole[kept[-1] + 1 :]],
        *[[r for at, r in enumerate(whole) if at != left_out] for left_out in kept],
        *[[*whole[:at], whole[at], *whole[at:]] for at in kept[:2]],
    ]
    for number, lie in enumerate(lies):
        with pytest.raises(Refused) as refused:
            restored(sample, lie)
        assert isinstance(refused.value.reason, SnapshotReason), number


def test_damage_is_named_at_its_record_and_nothing_but_the_snapshot_passes(sample: Sample) -> None:
    data = b"".join(stream(found(sample)))
    assert [pack(r) for r in found(sample)] == list(read_payloads(io.BytesIO(data), "x"))
    chance = random.Random(3)
    for _ in range(300):
        at = chance.randrange(len(data))
        changed = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        with pytest.raises(Refused):
            list(read_payloads(io.BytesIO(changed), "x"))
    for cut in (0, 5, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(Refused):
            list(read_payloads(io.BytesIO(data[:cut]), "x"))
    with pytest.raises(Refused):
        list(read_payloads(io.BytesIO(data + b"\x00"), "x"))
