"""The checker of the fault suite can fail: a lost write, a doubled one, one that moved, a fork."""

from __future__ import annotations

from edge.demo_check import Places
from edge.writers import Write
from tests.faults.checker import Kept, forks, judge


def write(number: int, height: int | None) -> Write:
    answered = None if height is None else 1.0
    return Write(f"w{number}", bytes([number]) * 32, 0.0, 0.0, answered, height)


def chain(*placed: tuple[int, int]) -> Places:
    """Of (number of a write, its height)."""
    counts: dict[bytes, int] = {}
    for number, _ in placed:
        counts[bytes([number]) * 32] = counts.get(bytes([number]) * 32, 0) + 1
    return Places(counts, {bytes([number]) * 32: height for number, height in placed})


WRITES = [write(1, 5), write(2, 6), write(3, None)]
WHOLE = chain((1, 5), (2, 6))


def test_writes_that_stand_where_they_were_acknowledged_are_kept() -> None:
    assert judge(WRITES, {"a": WHOLE, "b": chain((1, 5), (2, 6), (3, 7))}) == Kept(2, 0, 0)


def test_a_write_missing_on_a_single_node_is_lost() -> None:
    assert judge(WRITES, {"a": WHOLE, "b": chain((1, 5))}) == Kept(2, 1, 0)


def test_a_write_in_another_block_than_was_acknowledged_is_lost() -> None:
    assert judge(WRITES, {"a": chain((1, 5), (2, 7))}) == Kept(2, 1, 0)


def test_a_write_twice_in_a_chain_is_doubled_even_if_nobody_was_answered() -> None:
    assert judge(WRITES, {"a": chain((1, 5), (2, 6), (3, 7), (3, 8))}) == Kept(2, 0, 1)


def test_two_blocks_at_one_height_are_a_fork_and_a_shorter_chain_is_not() -> None:
    assert forks({"a": {0: "x", 1: "y"}, "b": {0: "x"}}) == []
    assert forks({"a": {0: "x", 1: "y"}, "b": {0: "x", 1: "z"}}) == [1]
