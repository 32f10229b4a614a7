"""Signing votes, checking votes, keeping votes: never two different ones of ours, and evidence of anybody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, assert_never

import msgspec

from consensus.effects import PersistVote, RecordEvidence
from consensus.messages import Commit, Prepare, PrePrepare, RoundChange, Vote
from consensus.state import ROUND_WINDOW, Kind, RoundVotes, State, Turn, step_of
from ledger.votes import commit_payload, pre_prepare_payload, prepare_payload, round_change_payload

V = TypeVar("V", PrePrepare, Prepare, Commit, RoundChange)


def payload_of(chain_id: bytes, vote: Vote) -> bytes:
    """What the vote's signature covers."""
    match vote:
        case PrePrepare():
            return pre_prepare_payload(chain_id, vote.height, vote.round, vote.digest)
        case Prepare():
            return prepare_payload(chain_id, vote.height, vote.round, vote.digest)
        case Commit():
            return commit_payload(chain_id, vote.height, vote.round, vote.digest)
        case RoundChange():
            return round_change_payload(chain_id, vote.height, vote.round, vote.prepared_round, vote.prepared_digest)
        case _:
            assert_never(vote)


def is_valid(state: State, vote: Vote) -> bool:
    """Whether the vote is by a validator of this height and its signature is that validator's."""
    validator = state.validators.find(vote.node_id)
    return validator is not None and state.config.scheme.verify(
        validator.public_key, payload_of(state.config.chain_id, vote), vote.signature
    )


def sign(turn: Turn, unsigned: V) -> V | None:
    """The vote, signed and on its way to the journal; None if this node may not cast it.

    Rule 8: a node never signs a second, different vote for (height, round, step). The one it has signed is given again.
    """
    state = turn.state
    me = state.me
    if me is None:
        return None
    step = step_of(unsigned)
    already = state.signed.get(step)
    if already is not None:
        same = msgspec.structs.replace(already, signature=b"") == msgspec.structs.replace(unsigned, signature=b"")
        return already if same and isinstance(already, type(unsigned)) else None
    signature = state.config.scheme.sign(me.public_key, payload_of(state.config.chain_id, unsigned))
    if signature is None:
        return None
    vote = msgspec.structs.replace(unsigned, signature=signature)
    persist(turn, vote)
    turn.set(signed={**state.signed, step: vote})
    return vote


def persist(turn: Turn, vote: Vote) -> None:
    """A vote is on disk before it is sent (rule 8)."""
    turn.do(PersistVote(vote))


def in_window(state: State, round_: int) -> bool:
    """Rule 11: votes are kept by distance in rounds; everything else is dropped."""
    return abs(round_ - state.round) <= ROUND_WINDOW


def keep_pre_prepare(turn: Turn, vote: PrePrepare) -> bool:
    """Keep the leader's pre-prepare of a round; False if it conflicts with the one that is kept."""
    kept = turn.state.votes.get(vote.round, RoundVotes())
    if kept.pre_prepare is not None:
        return kept.pre_prepare.digest == vote.digest or accuse(turn, kept.pre_prepare, vote)
    _put(turn, vote.round, msgspec.structs.replace(kept, pre_prepare=vote))
    return True


def keep_prepare(turn: Turn, vote: Prepare) -> bool:
    """Keep a PREPARE, one a validator and round; False if it is not new."""
    kept = turn.state.votes.get(vote.round, RoundVotes())
    other = kept.prepares.get(vote.node_id)
    if other is not None:
        return other.digest != vote.digest and accuse(turn, other, vote)
    _put(turn, vote.round, msgspec.structs.replace(kept, prepares={**kept.prepares, vote.node_id: vote}))
    return True


def keep_commit(turn: Turn, vote: Commit) -> bool:
    """Keep a COMMIT, one a validator and round; False if it is not new."""
    kept = turn.state.votes.get(vote.round, RoundVotes())
    other = kept.commits.get(vote.node_id)
    if other is not None:
        return other.digest != vote.digest and accuse(turn, other, vote)
    _put(turn, vote.round, msgspec.structs.replace(kept, commits={**kept.commits, vote.node_id: vote}))
    return True


def keep_certificate(turn: Turn, prepares: tuple[Prepare, ...]) -> None:
    """Keep the PREPAREs of a valid certificate: two certificates of one round for two digests are evidence (rule 3)."""
    for prepare in prepares:
        if in_window(turn.state, prepare.round):
            keep_prepare(turn, prepare)


def is_known(state: State, vote: Prepare | Commit) -> bool:
    """Whether this very vote is kept already: its signature need not be checked again."""
    kept = state.votes.get(vote.round)
    if kept is None:
        return False
    known = (kept.prepares if isinstance(vote, Prepare) else kept.commits).get(vote.node_id)
    return known == vote


def _put(turn: Turn, round_: int, votes: RoundVotes) -> None:
    turn.set(votes={**turn.state.votes, round_: votes})


def accuse(turn: Turn, first: Vote, second: Vote) -> bool:
    """Rule 12: conflicting signed messages are evidence, told once for each step. Always False: not to be counted."""
    kind, round_ = step_of(first)
    charge: tuple[str, Kind, int] = (first.node_id, kind, round_)
    if charge not in turn.state.accused:
        turn.set(accused=turn.state.accused | {charge})
        turn.do(RecordEvidence(first, second))
    return False


def each_once(votes: tuple[V, ...], valid: Callable[[V], bool]) -> bool:
    """Whether all votes are valid and of distinct validators."""
    return len({v.node_id for v in votes}) == len(votes) and all(valid(v) for v in votes)
