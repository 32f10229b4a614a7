"""The pool: bounded in every way, in order of arrival, and remembering nothing that it refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mempool import PASSED_OVER_MARGIN_MS, Mempool, PoolLimits, PoolReason
from ledger.refusal import Refused
from ledger.types import Transaction
from tests.edge.cluster import START_MS, make_genesis, note

GENESIS = make_genesis(1)
SOME = [note(GENESIS, f"{i}", account=f"account-{i % 3}", expires_at_ms=START_MS + 1_000 * (i + 1)) for i in range(12)]
SIZE = max(len(t.raw) for t in SOME)


def filled(transactions: list[Transaction], limits: PoolLimits | None = None) -> Mempool:
    pool = Mempool(limits)
    for at_ms, transaction in enumerate(transactions):
        pool.add(transaction, at_ms)
    return pool


def test_they_come_out_in_the_order_in_which_they_came() -> None:
    assert [t.id for t in filled(SOME).pick()] == [t.id for t in SOME]


def test_the_same_transaction_is_there_once() -> None:
    pool = filled(SOME[:2])
    assert pool.add(SOME[0], 50) is False
    assert len(pool) == 2
    assert pool.bytes == sum(len(t.raw) for t in SOME[:2])


@pytest.mark.parametrize("limits", [PoolLimits(max_count=3), PoolLimits(max_bytes=3 * SIZE)])
def test_a_full_pool_refuses_and_does_not_remember(limits: PoolLimits) -> None:
    pool = filled(SOME[:3], limits)
    with pytest.raises(Refused) as refused:
        pool.add(SOME[3], 10)
    assert refused.value.reason is PoolReason.POOL_FULL
    assert SOME[3].id not in pool
    pool.remove(SOME[0].id)
    assert pool.add(SOME[3], 11)


def test_one_account_cannot_take_the_room_of_all() -> None:
    pool = filled(SOME[:6], PoolLimits(max_account_count=2))
    with pytest.raises(Refused) as refused:
        pool.add(SOME[6], 10)
    assert refused.value.reason is PoolReason.ACCOUNT_POOL_FULL
    pool.remove(SOME[0].id)
    assert pool.add(SOME[6], 10)


def test_what_has_expired_is_dropped_and_nothing_else() -> None:
    pool = filled(SOME)
    assert pool.expire(START_MS + 3_000) == 3
    assert [t.id for t in pool.pick()] == [t.id for t in SOME[3:]]


def commit(pool: Mempool, transactions: list[Transaction], *, has_room: bool = False, now_ms: int = 0) -> int:
    pool.committed([t.id for t in transactions], proposer="n1", has_room=has_room, now_ms=now_ms)
    return pool.passed_over_blocks


def test_a_block_with_much_younger_ones_passes_over_the_oldest() -> None:
    pool = Mempool()
    pool.add(SOME[0], 0)
    pool.add(SOME[1], PASSED_OVER_MARGIN_MS)
    pool.add(SOME[2], PASSED_OVER_MARGIN_MS + 1)
    assert commit(pool, [SOME[1]]) == 0, "what came about as early may go first"
    assert commit(pool, []) == 0, "a full block passes over nobody"
    assert commit(pool, [SOME[2]]) == 1
    assert commit(pool, [SOME[0]]) == 0
    assert len(pool) == 0


def test_a_block_with_room_passes_over_what_everybody_has_known_for_long() -> None:
    pool = Mempool()
    pool.add(SOME[0], 0)
    assert commit(pool, [], has_room=True, now_ms=PASSED_OVER_MARGIN_MS) == 0
    assert commit(pool, [], has_room=True, now_ms=PASSED_OVER_MARGIN_MS + 1) == 1
    assert commit(pool, [], has_room=True, now_ms=PASSED_OVER_MARGIN_MS + 2) == 2


def test_another_proposer_is_not_blamed_for_the_one_before() -> None:
    pool = Mempool()
    pool.add(SOME[0], 0)
    commit(pool, [], has_room=True, now_ms=9_000)
    pool.committed([], proposer="n2", has_room=False, now_ms=9_000)
    assert pool.passed_over_blocks == 0


def test_only_what_has_waited_is_told_again_and_each_once_a_while() -> None:
    pool = filled(SOME)
    assert pool.to_gossip_again(1_000, 1_000, 100) == [SOME[0].raw]
    assert pool.to_gossip_again(1_001, 1_000, 100) == [SOME[1].raw]
    assert pool.to_gossip_again(3_000, 1_000, 4) == [t.raw for t in SOME[:4]]
    assert pool.to_gossip_again(3_000, 1_000, 4) == [t.raw for t in SOME[4:8]]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove", "commit", "expire"]), st.integers(0, len(SOME) - 1)), max_size=60
    )
)
def test_its_counts_are_always_those_of_what_it_holds(steps: list[tuple[str, int]]) -> None:
    limits = PoolLimits(max_count=6, max_bytes=5 * SIZE, max_account_count=3)
    pool = Mempool(limits)
    expected: list[Transaction] = []
    for at_ms, (step, which) in enumerate(steps):
        transaction = SOME[which]
        match step:
            case "add":
                try:
                    if pool.add(transaction, at_ms):
                        expected.append(transaction)
                except Refused:
                    of_account = [t for t in expected if t.body.sender == transaction.body.sender]
                    held = sum(len(t.raw) for t in expected)
                    assert len(expected) == 6 or len(of_account) == 3 or held + len(transaction.raw) > 5 * SIZE
            case "remove":
                pool.remove(transaction.id)
                expected = [t for t in expected if t.id != transaction.id]
            case "commit":
                commit(pool, [transaction])
                expected = [t for t in expected if t.id != transaction.id]
            case _:
                wall_ms = START_MS + 1_000 * which
                pool.expire(wall_ms)
                expected = [t for t in expected if t.body.expires_at_ms > wall_ms]
        assert [t.id for t in pool.pick()] == [t.id for t in expected]
        assert pool.bytes == sum(len(t.raw) for t in expected)
        assert len(pool) == len(expected)
        assert (pool.oldest_since_ms is None) == (not expected)
