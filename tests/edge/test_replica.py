"""Clusters of replicas in memory: they decide, agree, fail over, restart, catch up, and stop where they must."""

from __future__ import annotations

import pytest

from consensus.messages import Commit, Prepare, PrePrepare
from edge.replica import Submitted
from edge.sync import MAX_SERVED_PER_SECOND
from edge.wire import Blocks, CertifiedBlock, GetBlocks, Status, Transactions
from ledger.contract import Runtime
from ledger.encoding import pack, unpack
from ledger.refusal import Refused
from ledger.types import Block, Transaction
from tests.edge.cluster import NOTES, START_MS, Cluster, ShoutedNotes, make_genesis, note, signing_key


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_write_is_in_every_chain_without_waiting_for_any_clock(count: int) -> None:
    cluster = Cluster(make_genesis(count))
    transaction = note(cluster.genesis)
    cluster.submit(cluster[count - 1], transaction)
    assert set(cluster.heights.values()) == {1}
    cluster.agree()
    for member in cluster.members.values():
        receipt = member.replica.chain.receipt(transaction.id)
        assert receipt is not None and receipt.done
        assert len(member.replica.pool) == 0
        assert member.heard.misbehaved == []


def test_a_thousand_writes_at_once_are_each_there_once() -> None:
    cluster = Cluster(make_genesis(4))
    transactions = [note(cluster.genesis, f"{i}", note_id=f"n{i % 7}") for i in range(300)]
    for i, transaction in enumerate(transactions):
        cluster[i % 4].replica.submit(transaction, cluster.now)
    cluster.settle()
    cluster.run(100)
    cluster.agree()
    chain = cluster[0].replica.chain
    found = [t for h in range(1, chain.height + 1) for t in _transactions(cluster, h)]
    assert sorted(found) == sorted(t.id for t in transactions)
    assert sum(row.times for _, row in NOTES.page(chain.state, limit=100)) == 300


def _transactions(cluster: Cluster, height: int) -> list[bytes]:
    block = cluster[0].replica.chain.block(height)
    assert block is not None
    return [Transaction.parse(raw).id for raw in block.transactions]


def test_the_same_bytes_again_are_the_same_write_wherever_and_whenever_they_come() -> None:
    cluster = Cluster(make_genesis(4))
    transaction = note(cluster.genesis)
    assert cluster[0].replica.submit(transaction, cluster.now) == Submitted("accepted", transaction.id)
    assert cluster[2].replica.submit(transaction, cluster.now).status == "accepted"
    assert cluster[0].replica.submit(transaction, cluster.now).status == "accepted"
    cluster.settle()
    for member in cluster.members.values():
        assert member.replica.submit(transaction, cluster.now) == Submitted("committed", transaction.id)
    cluster.run(3_000)
    assert set(cluster.heights.values()) == {1}


def test_a_refused_call_leaves_its_receipt_and_nothing_else() -> None:
    cluster = Cluster(make_genesis(4))
    root = cluster[0].replica.chain.head.state_root
    transaction = note(cluster.genesis, "")
    cluster.submit(cluster[1], transaction)
    chain = cluster[3].replica.chain
    receipt = chain.receipt(transaction.id)
    assert receipt is not None and receipt.reason == "notes.empty"
    assert chain.head.state_root == root


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ({"chain_id": bytes(32)}, "foreign_chain"),
        ({"expires_at_ms": START_MS}, "expired"),
        ({"expires_at_ms": START_MS + 2 * 3_600_000}, "expires_too_late"),
        ({"account": "nobody"}, "unknown_account"),
        ({"key": signing_key("account-1")}, "unknown_key"),
    ],
)
def test_what_may_never_enter_a_block_is_refused_at_the_door(flaw: dict[str, object], code: str) -> None:
    cluster = Cluster(make_genesis(1))
    transaction = note(cluster.genesis, **flaw)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        cluster[0].replica.submit(transaction, cluster.now)
    assert refused.value.reason.code == code
    assert len(cluster[0].replica.pool) == 0
    assert cluster.heights == {"node-1": 0}


def test_a_wrong_signature_is_refused_at_the_door_and_counted_against_the_peer() -> None:
    cluster = Cluster(make_genesis(4))
    good = note(cluster.genesis)
    bad = Transaction.parse(good.raw[:-1] + bytes([good.raw[-1] ^ 1]))
    with pytest.raises(Refused, match="bad_signature"):
        cluster[0].replica.submit(bad, cluster.now)
    cluster[1].replica.on_message("node-1", Transactions((bad.raw,)), cluster.now)
    assert cluster[1].heard.misbehaved == [("node-1", "a transaction with a wrong signature")]
    assert len(cluster[1].replica.pool) == 0
    cluster.submit(cluster[1], good)
    assert set(cluster.heights.values()) == {1}


def test_one_refused_transaction_does_not_take_the_others_along() -> None:
    cluster = Cluster(make_genesis(1))
    good, bad = note(cluster.genesis), note(cluster.genesis, account="nobody")
    answers = cluster[0].replica.submit_many([bad, good], cluster.now)
    assert isinstance(answers[0], Refused)
    assert answers[1] == Submitted("accepted", good.id)


# -- order of effects --------------------------------------------------------------------------------------------------


def test_every_vote_is_in_the_journal_before_it_is_on_the_network() -> None:
    cluster = Cluster(make_genesis(4))
    early: list[str] = []

    def watch(sender: str, to: str, message: object) -> bool:
        vote = getattr(message, "pre_prepare", message)
        if isinstance(vote, Prepare | Commit | PrePrepare) and vote.node_id == sender:
            journal = cluster.members[sender].journal
            if vote not in journal.records and vote.height > cluster.members[sender].height:
                early.append(f"{sender} {type(vote).__name__}")
        return True

    cluster.passes = watch
    for _ in range(3):
        cluster.submit(cluster[0], note(cluster.genesis))
    assert cluster[0].height == 3
    assert early == []


def test_a_journal_that_cannot_be_written_stops_the_node_before_anything_is_sent() -> None:
    cluster = Cluster(make_genesis(4))
    cluster[1].journal.fails = OSError(28, "No space left on device")
    cluster.sent.clear()
    for _ in range(3):
        cluster.submit(cluster[0], note(cluster.genesis))
    assert not any(s == "node-2" and isinstance(m, Prepare | Commit) for s, _, m in cluster.sent)
    halted = cluster[1].replica.halted
    assert halted is not None and "No space left" in halted.detail
    with pytest.raises(Refused, match="No space left"):
        cluster[1].replica.submit(note(cluster.genesis), cluster.now)
    assert cluster[0].height == 3


def test_a_stopped_node_keeps_nothing_of_what_still_comes_in() -> None:
    cluster = Cluster(make_genesis(4))
    cluster[1].journal.fails = OSError("gone")
    for i in range(50):
        cluster.submit(cluster[0], note(cluster.genesis, f"{i}"))
    cluster.run(5_000)
    replica = cluster[1].replica
    assert replica.stopped()
    assert len(replica._events) == 0
    assert replica.next_deadline_ms() > cluster.now.monotonic_ms, "it does not ask to be woken without end"


# -- failing over, restarting ------------------------------------------------------------------------------------------


def test_a_dead_leader_costs_less_than_a_second_and_no_write() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    leader = cluster.members[cluster[0].replica.leader]
    follower = next(m for m in cluster.members.values() if m is not leader)
    cluster.lose(leader)
    transaction = note(cluster.genesis)
    cluster.submit(follower, transaction)
    before_ms = cluster.now.monotonic_ms
    cluster.run_until(lambda: follower.height == 2, 2_000)
    assert cluster.now.monotonic_ms - before_ms < 1_000
    cluster.run(200)
    leader.start()
    cluster.run_until(lambda: leader.height == follower.height)
    cluster.agree()


def test_two_of_four_gone_nothing_is_decided_and_one_back_all_goes_on() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    cluster.lose(cluster[2])
    cluster.lose(cluster[3])
    waiting = note(cluster.genesis)
    cluster.submit(cluster[0], waiting)
    cluster.run(60_000, step_ms=50)
    assert cluster[0].height == cluster[1].height == 1
    assert cluster[0].replica.chain.height_of(waiting.id) is None
    assert cluster[0].replica.round < 12, "rounds must not run away while there is no quorum"
    cluster[2].start()
    cluster.run_until(lambda: all(m.height == 2 for m in cluster.members.values() if m.up), 15_000)
    again = note(cluster.genesis)
    cluster.submit(cluster[1], again)
    cluster.run_until(lambda: cluster[2].height >= 3)
    cluster[3].start()
    cluster.run_until(lambda: cluster[3].height == cluster[0].height)
    assert cluster[3].replica.chain.height_of(again.id) is not None


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_restart_at_any_message_never_makes_a_second_vote(count: int) -> None:
    for cut in range(24):
        cluster = Cluster(make_genesis(count))
        seen = 0

        def passes(sender: str, to: str, message: object, cut: int = cut) -> bool:
            nonlocal seen
            seen += 1
            return seen <= cut

        cluster.passes = passes
        cluster.submit(cluster[0], note(cluster.genesis))
        victim = cluster[count - 1]
        victim.crash()
        cluster.passes = lambda sender, to, message: True
        victim.start()
        cluster.settle()
        # After a crash a client sends again: a pool does not survive, nor need it.
        cluster.submit(cluster[0], note(cluster.genesis, "again"))
        cluster.run_until(lambda c=cluster: min(c.heights.values()) >= 1, 10_000)  # type: ignore[misc]
        cluster.run(300)
        cluster.agree()
        for member in cluster.members.values():
            assert member.heard.evidence == [], f"cut after {cut} messages"
            assert member.heard.misbehaved == []


def test_all_restarted_at_once_go_on_from_their_journals() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.passes = lambda sender, to, message: not isinstance(message, Commit)
    cluster.submit(cluster[0], note(cluster.genesis, "prepared by all"))
    assert set(cluster.heights.values()) == {0}
    prepared = {p.digest for m in cluster.members.values() if (p := m.journal.load().prepared) is not None}
    assert len(prepared) == 1
    for member in cluster.members.values():
        member.crash()
    cluster.passes = lambda sender, to, message: True
    for member in cluster.members.values():
        member.start()
    cluster.run_until(lambda: set(cluster.heights.values()) == {1}, 5_000)
    assert cluster[0].replica.chain.head.hash in prepared, "what was prepared is what is decided"


# -- a lost journal ----------------------------------------------------------------------------------------------------


def test_a_node_whose_journal_is_lost_observes_until_it_is_past_what_it_may_have_signed() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    victim = cluster[3]
    victim.crash()
    victim.journal.lose()
    victim.start()
    cluster.settle()
    cluster.run(1_500)
    assert victim.replica.observe_through_height == 3
    cluster.sent.clear()
    for expected in (2, 3):
        cluster.submit(cluster[0], note(cluster.genesis))
        assert set(cluster.heights.values()) == {expected}
    assert not any(s == "node-4" and isinstance(m, Prepare | Commit) for s, _, m in cluster.sent)
    cluster.submit(cluster[0], note(cluster.genesis))
    assert any(s == "node-4" and isinstance(m, Commit) for s, _, m in cluster.sent)


def test_a_wiped_node_is_told_everything_and_then_votes() -> None:
    cluster = Cluster(make_genesis(4))
    for _ in range(5):
        cluster.submit(cluster[0], note(cluster.genesis))
    victim = cluster[3]
    victim.crash()
    victim.kv.__init__()  # type: ignore[misc]
    victim.journal.lose()
    victim.start()
    cluster.run_until(lambda: victim.height == 5)
    assert victim.replica.observe_through_height == 7
    for _ in range(3):
        cluster.submit(cluster[1], note(cluster.genesis))
    assert victim.height == 8
    assert victim.replica.votes


def test_one_lying_peer_cannot_keep_a_node_with_a_lost_journal_from_voting_for_ever() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    victim = cluster[3]
    victim.crash()
    victim.journal.lose()
    cluster.passes = lambda sender, to, message: not (sender == "node-1" and isinstance(message, Status | Blocks))
    victim.start()
    victim.replica.on_message("node-1", Status(10**9, bytes(32), 0), cluster.now)
    cluster.run(3_000)
    victim.replica.on_message("node-1", Blocks(()), cluster.now)
    cluster.run(1_000)
    assert victim.replica.observe_through_height == 3


def test_a_network_of_one_goes_on_after_its_journal_was_lost() -> None:
    cluster = Cluster(make_genesis(1))
    cluster.submit(cluster[0], note(cluster.genesis))
    cluster[0].crash()
    cluster[0].journal.lose()
    cluster[0].start()
    cluster.submit(cluster[0], note(cluster.genesis))
    assert cluster[0].height == 2


# -- sync --------------------------------------------------------------------------------------------------------------


def test_an_observer_follows_and_never_votes() -> None:
    cluster = Cluster(make_genesis(3, observers=1))
    for _ in range(3):
        cluster.submit(cluster[3], note(cluster.genesis))
    assert set(cluster.heights.values()) == {3}
    assert not any(s == "node-4" and isinstance(m, Prepare | Commit) for s, _, m in cluster.sent)
    assert cluster[3].journal.records == []


def test_a_fresh_node_catches_up_while_writes_go_on_and_votes_by_itself() -> None:
    cluster = Cluster(make_genesis(4))
    late = cluster[3]
    cluster.lose(late)
    for i in range(60):
        cluster.submit(cluster[0], note(cluster.genesis, f"{i}"))
    late.start()
    for i in range(20):
        cluster.submit(cluster[0], note(cluster.genesis, f"more {i}"))
        cluster.run(10)
    cluster.run_until(lambda: late.height == cluster[0].height)
    cluster.sent.clear()
    cluster.submit(cluster[1], note(cluster.genesis))
    assert any(s == "node-4" and isinstance(m, Commit) for s, _, m in cluster.sent)
    cluster.agree()


def test_a_block_window_is_bounded_by_bytes_and_an_old_block_is_served_however_large() -> None:
    cluster = Cluster(make_genesis(1))
    for i in range(6):
        cluster[0].replica.submit_many(
            [note(cluster.genesis, "x" * 30_000, note_id=f"{i}-{j}") for j in range(4)], cluster.now
        )
    cluster.sent.clear()
    cluster[0].send = lambda peer, message: cluster.sent.append(("node-1", peer, message))  # type: ignore[method-assign]
    cluster[0].replica.on_message("node-9", GetBlocks(1, 500), cluster.now)
    answer = next(m for _, _, m in cluster.sent if isinstance(m, Blocks))
    assert 1 <= len(answer.items) < 6
    for odd in (GetBlocks(0, 5), GetBlocks(99, 5), GetBlocks(1, 0), GetBlocks(1, -5)):
        cluster.sent.clear()
        cluster[0].replica.on_message("node-9", odd, cluster.now)
        assert [m for _, _, m in cluster.sent if isinstance(m, Blocks)] == [Blocks(())]


def test_a_peer_that_asks_without_end_is_not_served_without_end() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    cluster.sent.clear()
    for _ in range(1_000):
        cluster[0].replica.on_message("node-2", GetBlocks(1, 1), cluster.now)
    assert sum(isinstance(m, Blocks) for _, _, m in cluster.sent) == MAX_SERVED_PER_SECOND
    assert {p for p, _ in cluster[0].heard.misbehaved} == {"node-2"}
    cluster.run(1_000)
    cluster.sent.clear()
    cluster[0].replica.on_message("node-2", GetBlocks(1, 1), cluster.now)
    assert any(isinstance(m, Blocks) for _, _, m in cluster.sent)


def _behind() -> Cluster:
    """Four nodes at height 3, the last of them at 0 and just started, hearing nothing yet."""
    cluster = Cluster(make_genesis(4))
    cluster.lose(cluster[3])
    for _ in range(3):
        cluster.submit(cluster[0], note(cluster.genesis))
    cluster.passes = lambda sender, to, message: "node-4" not in (sender, to)
    cluster[3].start()
    cluster.settle()
    return cluster


def _certified(cluster: Cluster, height: int) -> CertifiedBlock:
    chain = cluster[0].replica.chain
    block, certificate = chain.raw_block(height), chain.raw_certificate(height)
    assert block is not None and certificate is not None
    return CertifiedBlock(block, certificate)


def test_forged_blocks_are_refused_counted_and_asked_for_elsewhere() -> None:
    cluster = _behind()
    late = cluster[3].replica
    late.on_message("node-1", Status(3, bytes(32), 0), cluster.now)
    one, two = _certified(cluster, 1), _certified(cluster, 2)
    block = unpack(Block, one.block)
    forgeries = [
        CertifiedBlock(one.block, two.certificate),
        CertifiedBlock(pack(Block(block.header, ())), one.certificate),
        CertifiedBlock(one.block[:-1] + b"\x00", one.certificate),
        CertifiedBlock(one.block + b"\x00", one.certificate),
        CertifiedBlock(b"", b""),
        two,
    ]
    for forgery in forgeries:
        cluster[3].heard.misbehaved.clear()
        late.on_message("node-1", Blocks((forgery,)), cluster.now)
        assert [p for p, _ in cluster[3].heard.misbehaved] == ["node-1"]
        assert late.chain.height == 0
        assert late.halted is None
    cluster.passes = lambda sender, to, message: "node-1" not in (sender, to)
    cluster.run_until(lambda: cluster[3].height == 3)


def test_blocks_that_come_late_or_unasked_are_welcome_if_they_are_proved() -> None:
    cluster = _behind()
    late = cluster[3].replica
    late.on_message("node-2", Blocks((_certified(cluster, 1), _certified(cluster, 2))), cluster.now)
    assert late.chain.height == 2
    late.on_message("node-2", Blocks((_certified(cluster, 1), _certified(cluster, 2))), cluster.now)
    assert cluster[3].heard.misbehaved == []
    cluster.passes = lambda sender, to, message: True
    cluster.run_until(lambda: cluster[3].height == 3)


def test_an_answer_overtaken_by_the_consensus_is_not_held_against_the_peer() -> None:
    cluster = _behind()
    late = cluster[3].replica
    late.on_message("node-1", Status(3, bytes(32), 0), cluster.now)
    answer = Blocks((_certified(cluster, 1), _certified(cluster, 2)))
    late.on_message("node-2", Blocks(tuple(_certified(cluster, h) for h in (1, 2, 3))), cluster.now)
    late.on_message("node-1", answer, cluster.now)
    assert late.sync.height_of("node-1") == 3


# -- halting -----------------------------------------------------------------------------------------------------------


def test_a_node_with_other_contract_code_refuses_to_vote_and_stays_at_its_last_good_block() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis, "before"))
    odd = cluster[3]
    odd.crash()
    odd.runtime = Runtime([ShoutedNotes()])
    odd.start()
    cluster.sent.clear()
    cluster.submit(cluster[0], note(cluster.genesis, "after"))
    assert not any(s == "node-4" and isinstance(m, Prepare | Commit) for s, _, m in cluster.sent)
    refusal = odd.replica.last_refusal
    assert refusal is not None and "notes/note/a" in refusal.detail
    cluster.run(3_000)
    assert odd.height == 1
    halted = odd.replica.halted
    assert halted is not None and halted.height == 1 and "notes/note/a" in halted.detail
    assert odd.replica.next_deadline_ms() > cluster.now.monotonic_ms, "it does not ask for blocks without end"
    assert cluster[0].height == 2

    odd.crash()
    odd.runtime = cluster[0].runtime
    odd.start()
    cluster.run_until(lambda: odd.height == 2)
    assert odd.replica.halted is None
    cluster.agree()


def test_a_contract_version_that_this_build_lacks_stops_the_node_before_it_is_needed() -> None:
    cluster = Cluster(make_genesis(4))
    cluster[3].crash()
    cluster[3].runtime = Runtime([])
    cluster[3].start()
    halted = cluster[3].replica.halted
    assert halted is not None and "notes" in halted.detail
    cluster.submit(cluster[0], note(cluster.genesis))
    assert cluster[0].height == 1
    assert cluster[3].height == 0


# -- the pool's work ---------------------------------------------------------------------------------------------------


def test_a_leader_that_leaves_a_transaction_lying_is_replaced() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.submit(cluster[0], note(cluster.genesis))
    leader = cluster[0].replica.leader
    hidden = note(cluster.genesis, account="account-1")
    cluster.passes = lambda sender, to, message: not (to == leader and isinstance(message, Transactions))
    follower = next(m for m in cluster.members.values() if m.node_id != leader)
    cluster.submit(follower, hidden)
    cluster.run_until(lambda: follower.replica.chain.height_of(hidden.id) is not None, 5_000)
    assert follower.replica.chain.head.proposer != leader


def test_gossip_that_was_lost_is_told_again() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.passes = lambda sender, to, message: not isinstance(message, Transactions)
    follower = next(m for m in cluster.members.values() if m.node_id != cluster[0].replica.leader)
    follower.replica.submit(note(cluster.genesis), cluster.now)
    cluster.settle()
    cluster.passes = lambda sender, to, message: True
    cluster.run_until(lambda: set(cluster.heights.values()) == {1}, 5_000)


def test_what_expires_in_the_pool_is_dropped_and_nobody_waits_for_it() -> None:
    cluster = Cluster(make_genesis(4))
    cluster.passes = lambda sender, to, message: False
    doomed = note(cluster.genesis, expires_at_ms=cluster.now.wall_ms + 2_000)
    cluster.submit(cluster[1], doomed)
    assert len(cluster[1].replica.pool) == 1
    cluster.run(3_500)
    assert len(cluster[1].replica.pool) == 0
    cluster.passes = lambda sender, to, message: True
    cluster.run(30_000, step_ms=50)
    assert cluster[1].replica.chain.height_of(doomed.id) is None


def test_empty_blocks_come_only_as_a_slow_heartbeat() -> None:
    parameters = make_genesis(1).parameters
    genesis = make_genesis(4, parameters=type(parameters)(1_000, 1_000, 1_048_576, 10_000))
    cluster = Cluster(genesis)
    cluster.run(9_000, step_ms=50)
    assert set(cluster.heights.values()) == {0}
    cluster.run(30_000, step_ms=50)
    assert set(cluster.heights.values()) <= {3, 4}
    cluster.agree()
