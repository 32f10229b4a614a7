"""Who leads, and what counts as enough."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from consensus.messages import Commit, Prepare
from consensus.state import State


def proposer(state: State, round_: int) -> str:
    """Rule 1: who proposes at (height, round). The leader is sticky.

    Counts `round_` on from the proposer named in the header of the block before (hashed, so the same for everybody);
    at every multiple of `leader_term_blocks` the term ends and it counts from the next one. A proposer that has left
    the set is counted from where it would stand.
    """
    ids = state.validators.ids
    last = state.head.proposer
    place = bisect_left(ids, last)
    present = place < len(ids) and ids[place] == last
    if present and state.height % state.parameters.leader_term_blocks == 0:
        place += 1
    return ids[(place + round_) % len(ids)]


def is_leader(state: State) -> bool:
    return state.me is not None and proposer(state, state.round) == state.config.node_id


def reached(state: State, count: int) -> bool:
    """Whether `count` distinct validators are a quorum of this height's set."""
    return count >= state.validators.quorum


def jump_count(state: State) -> int:
    """Rule 7: how many validators above our round make us follow: max(2, f + 1).

    Not one, even where f is 0: at three nodes a single one could drag the others from round to round.
    """
    return max(2, state.validators.faults + 1)


def matching_prepares(prepares: Mapping[str, Prepare], digest: bytes) -> tuple[Prepare, ...]:
    """The PREPAREs for `digest`, one a validator, by validator."""
    return tuple(prepares[node] for node in sorted(prepares) if prepares[node].digest == digest)


def matching_commits(commits: Mapping[str, Commit], digest: bytes) -> tuple[Commit, ...]:
    """The COMMITs for `digest`, one a validator, by validator."""
    return tuple(commits[node] for node in sorted(commits) if commits[node].digest == digest)
