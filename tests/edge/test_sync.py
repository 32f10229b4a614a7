"""Whom a node that is behind asks, and that it never stops asking."""

from __future__ import annotations

from edge.observation import Observation
from edge.sync import ANSWER_TIMEOUT_MS, AVOID_MS, GRACE_MS, Request, Sync
from ledger.types import Validator, ValidatorSet


def test_nobody_is_asked_while_nothing_is_missing() -> None:
    sync = Sync()
    sync.peer_at("a", 5)
    assert sync.next_request(5, 0) is None
    assert sync.next_deadline_ms(5) is None


def test_one_block_behind_is_left_to_the_consensus_for_a_moment() -> None:
    sync = Sync()
    sync.peer_at("a", 6)
    assert sync.next_request(5, 0) is None
    assert sync.next_deadline_ms(5) == GRACE_MS
    assert sync.next_request(5, GRACE_MS) == Request("a", 6)


def test_far_behind_is_asked_for_at_once_and_only_once_at_a_time() -> None:
    sync = Sync()
    sync.peer_at("a", 50)
    assert sync.next_request(5, 0) == Request("a", 6)
    assert sync.next_request(5, 1) is None
    sync.answered("a")
    assert sync.next_request(30, 2) == Request("a", 31)


def test_a_peer_that_does_not_answer_is_not_asked_again_while_there_is_another() -> None:
    sync = Sync()
    sync.peer_at("a", 50)
    sync.peer_at("b", 40)
    assert sync.next_request(5, 0) == Request("a", 6)
    later_ms = ANSWER_TIMEOUT_MS
    assert sync.next_deadline_ms(5) == later_ms
    assert sync.next_request(5, later_ms) == Request("b", 6)
    sync.answered("b")
    assert sync.next_request(6, later_ms + 1) == Request("b", 7)
    sync.answered("b")
    assert sync.next_request(7, later_ms + AVOID_MS) == Request("a", 8)


def test_it_asks_the_only_peer_again_however_often_that_failed() -> None:
    sync = Sync()
    now_ms = 0
    for _ in range(20):
        sync.peer_at("a", 50)
        assert sync.next_request(5, now_ms) == Request("a", 6)
        sync.disappointed("a", now_ms)
        sync.answered("a")
        now_ms += 1_000


def test_a_peer_that_goes_while_it_is_asked_is_replaced_at_once() -> None:
    sync = Sync()
    sync.peer_at("a", 50)
    sync.peer_at("b", 40)
    assert sync.next_request(5, 0) == Request("a", 6)
    sync.peer_gone("a")
    assert sync.next_request(5, 1) == Request("b", 6)


def test_one_lying_peer_does_not_make_a_chain_look_longer() -> None:
    sync = Sync()
    for peer, height in (("n1", 10), ("n2", 11), ("n3", 10**9), ("an observer", 10**9)):
        sync.peer_at(peer, height)
    assert sync.credible_height(validators(4)) == 11
    assert sync.credible_height(validators(3)) == 11
    assert Sync().credible_height(validators(4)) == 0


# -- how long to observe -----------------------------------------------------------------------------------------------


def validators(count: int) -> ValidatorSet:
    return ValidatorSet.of([Validator(f"n{i}", "131016", bytes([i]) * 32) for i in range(count)])


def test_it_takes_more_than_the_quorum_may_lack_to_know_how_far_to_observe() -> None:
    needed = {2: 1, 3: 2, 4: 3, 5: 3, 6: 4, 7: 5, 10: 7}
    for count, others in needed.items():
        observation = Observation()
        for i in range(1, count):
            known = observation.through_height(validators(count), "n0", 9)
            assert (known is None) == (i - 1 < others)
            observation.heard(f"n{i}", 7)
        assert observation.through_height(validators(count), "n0", 9) == 9


def test_a_head_counts_once_its_block_is_here() -> None:
    observation = Observation()
    for peer in ("n1", "n2", "n3"):
        observation.heard(peer, 20)
    assert observation.through_height(validators(4), "n0", 19) is None
    assert observation.through_height(validators(4), "n0", 20) == 22


def test_strangers_and_oneself_do_not_count() -> None:
    observation = Observation()
    for peer in ("n0", "x", "y", "n1", "n2"):
        observation.heard(peer, 5)
    assert observation.through_height(validators(4), "n0", 5) is None
    observation.heard("n3", 4)
    assert observation.through_height(validators(4), "n0", 5) == 7


def test_a_sole_validator_heard_by_an_observer_is_waited_for() -> None:
    observation = Observation()
    assert observation.through_height(validators(1), "somebody", 0) is None
    observation.heard("n0", 3)
    assert observation.through_height(validators(1), "somebody", 3) == 5
    assert Observation().through_height(validators(1), "n0", 3) == 0
