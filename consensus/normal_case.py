"""The normal case: propose, prepare, commit, deliver."""

from __future__ import annotations

from consensus import quorum, round_change, votes
from consensus.effects import BuildBlock, CheckBlock, Deliver, FallBehind, PersistPrepared
from consensus.events import BlockBuilt, BlockChecked, PreparedRecord
from consensus.messages import Commit, Prepare, Proposal
from consensus.state import MAX_BLOCKS, Accepted, Turn
from ledger.types import Certificate, Seal

# -- proposing ---------------------------------------------------------------------------------------------------------


def propose_if_due(turn: Turn, *, heartbeat: bool = False) -> None:
    """Rule 14: in round 0 the leader proposes as soon as there is something to propose, or a heartbeat is due."""
    state = turn.state
    if state.round != 0 or state.building or state.accepted is not None or state.delivering:
        return
    if not quorum.is_leader(state) or ("pre-prepare", 0) in state.signed:
        return
    if state.work_since_ms is not None or heartbeat:
        turn.set(building=True)
        turn.do(BuildBlock(state.height, 0, empty_allowed=heartbeat))


def on_built(turn: Turn, event: BlockBuilt) -> None:
    """Our own block is ready: it was executed as it was built, so it need not be checked."""
    state = turn.state
    if not state.building or (event.height, event.round) != (state.height, state.round):
        return
    turn.set(building=False)
    if not event.block:
        return
    proposal = round_change.justify(turn, event.digest, event.block)
    if proposal is not None:
        turn.set(own_proposal=proposal)
        turn.broadcast(proposal)
        accept(turn, proposal, verdict_known=True)


# -- accepting a proposal ----------------------------------------------------------------------------------------------


def on_proposal(turn: Turn, sender: str, proposal: Proposal) -> None:
    """Rules 1 to 4: accept the leader's proposal of this round, or of a higher one that is justified."""
    state = turn.state
    pre_prepare = proposal.pre_prepare
    round_ = pre_prepare.round
    if round_ < state.round or (not votes.in_window(state, round_) and not proposal.round_changes):
        return
    if pre_prepare.node_id != quorum.proposer(state, round_) or not votes.is_valid(state, pre_prepare):
        turn.misbehaved(sender, "a proposal that is not the leader's")
        return
    if not votes.keep_pre_prepare(turn, pre_prepare):
        return
    if not round_change.is_justified(turn, proposal):
        turn.misbehaved(sender, "a proposal without its justification")
        return
    votes.keep_certificate(turn, proposal.prepares)
    if round_ > turn.state.round:
        # Rule 4: a proposal for a higher, justified round makes the replica jump there.
        round_change.enter_round(turn, round_)
    # Its justification shows that a quorum has come to this round, whether or not their messages have come here.
    round_change.start_round_timer(turn)
    if turn.state.accepted is None and not turn.state.delivering:
        accept(turn, proposal, verdict_known=False)


def accept(turn: Turn, proposal: Proposal, *, verdict_known: bool) -> None:
    """Rule 4: a proposal is accepted once in a round."""
    state = turn.state
    digest = proposal.pre_prepare.digest
    turn.set(accepted=Accepted(digest, proposal.block, state.now_ms, "unknown"), building=False)
    if verdict_known:
        _found_valid(turn)
    else:
        # Rule 4: a re-proposed block is not judged by the wall clock again.
        fresh = round_change.highest_prepared(proposal.round_changes) is None
        turn.do(CheckBlock(state.height, state.round, digest, proposal.block, fresh))


def on_checked(turn: Turn, event: BlockChecked) -> None:
    """The verdict on the accepted proposal's block: vote for it, or move on."""
    state = turn.state
    accepted = state.accepted
    if accepted is None or (event.height, event.round, event.digest) != (state.height, state.round, accepted.digest):
        return
    if event.refusal is None:
        _found_valid(turn)
    else:
        turn.set(accepted=Accepted(accepted.digest, accepted.block, accepted.at_ms, "refused"))
        if state.round < len(state.validators):
            # A leader with a bad block is left at once. When all have been, it is this node or a quorum that is amiss:
            # from then on it waits for the timeout, or rounds would run away as fast as messages travel.
            round_change.start(turn, state.round + 1)


def _found_valid(turn: Turn) -> None:
    state = turn.state
    accepted = state.accepted
    if accepted is None:
        return
    blocks = {**state.blocks, accepted.digest: accepted.block}
    if len(blocks) > MAX_BLOCKS:
        del blocks[next(iter(blocks))]
    turn.set(accepted=Accepted(accepted.digest, accepted.block, accepted.at_ms, "valid"), blocks=blocks)
    prepare = votes.sign(turn, Prepare(state.height, state.round, accepted.digest, state.config.node_id, b""))
    if prepare is not None:
        votes.keep_prepare(turn, prepare)
        turn.broadcast(prepare)
    commit_if_prepared(turn)
    for round_ in sorted(turn.state.votes):
        deliver_if_committed(turn, round_, accepted.digest, sender=None)


# -- prepare and commit ------------------------------------------------------------------------------------------------


def on_prepare(turn: Turn, sender: str, prepare: Prepare) -> None:
    if not votes.in_window(turn.state, prepare.round) or votes.is_known(turn.state, prepare):
        return
    if not votes.is_valid(turn.state, prepare):
        turn.misbehaved(sender, "a PREPARE that is not signed by a validator")
    elif votes.keep_prepare(turn, prepare) and prepare.round == turn.state.round:
        commit_if_prepared(turn)


def commit_if_prepared(turn: Turn) -> None:
    """Rule 5: on q matching PREPAREs keep the prepared certificate, on disk, then send COMMIT once."""
    state = turn.state
    accepted = state.accepted
    if accepted is None or accepted.verdict != "valid" or ("commit", state.round) in state.signed:
        return
    prepares = quorum.matching_prepares(state.round_votes.prepares, accepted.digest)
    if not quorum.reached(state, len(prepares)):
        return
    if state.me is None:
        return
    record = PreparedRecord(state.height, state.round, accepted.digest, accepted.block, prepares)
    turn.set(prepared=record)
    turn.do(PersistPrepared(record))
    commit = votes.sign(turn, Commit(state.height, state.round, accepted.digest, state.config.node_id, b""))
    if commit is not None:
        # Rule 5: a replica counts its own COMMIT only now, after it has prepared.
        votes.keep_commit(turn, commit)
        turn.broadcast(commit)
        deliver_if_committed(turn, state.round, accepted.digest, sender=None)


def on_commit(turn: Turn, sender: str, commit: Commit) -> None:
    if not votes.in_window(turn.state, commit.round) or votes.is_known(turn.state, commit):
        return
    if not votes.is_valid(turn.state, commit):
        turn.misbehaved(sender, "a COMMIT that is not signed by a validator")
    elif votes.keep_commit(turn, commit):
        deliver_if_committed(turn, commit.round, commit.digest, sender=sender)


def deliver_if_committed(turn: Turn, round_: int, digest: bytes, *, sender: str | None) -> None:
    """Rule 6: on q COMMITs of distinct validators with matching digest deliver, once; of whichever round they are.

    The block is delivered only if this node found it valid; if it never had it, it is fetched.
    """
    state = turn.state
    kept = state.votes.get(round_)
    if kept is None or state.delivering:
        return
    commits = quorum.matching_commits(kept.commits, digest)
    if not quorum.reached(state, len(commits)):
        return
    block = state.blocks.get(digest)
    if block is not None:
        seals = tuple(Seal(c.node_id, c.signature) for c in commits)
        turn.set(delivering=True)
        turn.do(Deliver(block, Certificate(state.height, round_, digest, seals)))
    elif sender is not None and (state.accepted is None or state.accepted.digest != digest):
        turn.do(FallBehind(sender, state.height))
