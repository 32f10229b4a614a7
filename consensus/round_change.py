"""Round changes: how a height goes on when its leader does not, without ever undoing what may have been decided."""

from __future__ import annotations

from collections.abc import Iterable

from consensus import quorum, votes
from consensus.effects import BuildBlock, CheckBlock
from consensus.events import PreparedRecord
from consensus.messages import Prepare, PrePrepare, Proposal, RoundChange, RoundChangeMessage
from consensus.state import ROUND_WINDOW, Accepted, State, Turn
from ledger.rules import block_digest

MAX_ROUND_CHANGES_KEPT = 3
"""Of one validator, of different rounds (rule 11): each can carry a block."""


# -- entering a round --------------------------------------------------------------------------------------------------


def start(turn: Turn, round_: int) -> None:
    """Rule 7: on timeout go to the next round, and say so with the latest prepared certificate."""
    if turn.state.me is None or turn.state.delivering:
        return
    enter_round(turn, round_)
    message = own_message(turn)
    if message is not None:
        keep(turn, message)
        turn.broadcast(message)
    go_on(turn)


def enter_round(turn: Turn, round_: int) -> None:
    state = turn.state
    turn.set(
        round=round_,
        accepted=None,
        building=False,
        own_proposal=None,
        round_timer_ms=None,
        resend_at_ms=state.now_ms + state.config.resend_ms,
        votes={r: v for r, v in state.votes.items() if abs(r - round_) <= ROUND_WINDOW},
        round_changes={r: m for r, m in state.round_changes.items() if r >= round_},
    )


def own_message(turn: Turn) -> RoundChangeMessage | None:
    """This node's ROUND-CHANGE for its round, with the prepared certificate that it claims."""
    state = turn.state
    prepared = carried(state)
    unsigned = RoundChange(
        state.height,
        state.round,
        None if prepared is None else prepared.round,
        None if prepared is None else prepared.digest,
        state.config.node_id,
        b"",
    )
    signed = votes.sign(turn, unsigned)
    if signed is None:
        return None
    if prepared is None:
        return RoundChangeMessage(signed, None, ())
    return RoundChangeMessage(signed, prepared.block, prepared.prepares)


def carried(state: State) -> PreparedRecord | None:
    """The prepared certificate that goes along into every later round (rule 7)."""
    return state.prepared


def start_round_timer(turn: Turn) -> None:
    """Rule 7: the timeout grows by 2^r up to a cap."""
    state = turn.state
    if turn.state.round_timer_ms is None and state.round > 0:
        turn.set(round_timer_ms=state.now_ms + timeout_ms(state))


def timeout_ms(state: State) -> int:
    """How long the current round may take: doubled with each round, capped (rule 7)."""
    grown = state.config.round_timeout_ms << min(state.round, 20)
    return min(grown, state.config.max_timeout_ms)


# -- other validators' round changes -----------------------------------------------------------------------------------


def on_round_change(turn: Turn, sender: str, message: RoundChangeMessage) -> None:
    state = turn.state
    change = message.round_change
    if change.round < max(1, state.round):
        return
    known = state.round_changes.get(change.round, {}).get(change.node_id)
    if known is not None and known.round_change == change:
        return
    if not is_valid(state, message):
        turn.misbehaved(sender, "a ROUND-CHANGE that does not prove what it claims")
        return
    votes.keep_certificate(turn, message.prepares)
    if known is not None:
        votes.accuse(turn, known.round_change, change)
        return
    keep(turn, message)
    target = jump_round(turn.state)
    if target is not None:
        start(turn, target)
    else:
        go_on(turn)


def is_valid(state: State, message: RoundChangeMessage) -> bool:
    """Rules 2 and 3: signed by a validator, and whatever it claims to have prepared is proved by q PREPAREs."""
    change = message.round_change
    if not claim_is_well_formed(change) or not votes.is_valid(state, change):
        return False
    if change.prepared_round is None or change.prepared_digest is None:
        return message.block is None and not message.prepares
    return (
        message.block is not None
        and is_prepared_certificate(state, change.prepared_round, change.prepared_digest, message.prepares)
        and block_digest(message.block) == change.prepared_digest
    )


def claim_is_well_formed(change: RoundChange) -> bool:
    """Rule 2: prepared round and digest are both there or both absent, and prepared round < r."""
    if (change.prepared_round is None) != (change.prepared_digest is None):
        return False
    return change.prepared_round is None or change.prepared_round < change.round


def is_prepared_certificate(state: State, round_: int, digest: bytes, prepares: tuple[Prepare, ...]) -> bool:
    """Rule 3: q distinct PREPAREs for (h, that round, digest)."""
    if not quorum.reached(state, len(prepares)) or len(prepares) > len(state.validators):
        return False
    if any((p.height, p.round, p.digest) != (state.height, round_, digest) for p in prepares):
        return False
    return votes.each_once(prepares, lambda p: votes.is_valid(state, p))


def keep(turn: Turn, message: RoundChangeMessage) -> None:
    """Keep a round change; of one validator only those of its few highest rounds (rule 11)."""
    change = message.round_change
    kept = {r: dict(m) for r, m in turn.state.round_changes.items()}
    kept.setdefault(change.round, {})[change.node_id] = message
    own = sorted(r for r, m in kept.items() if change.node_id in m and r != turn.state.round)
    for round_ in own[: max(0, len(own) - MAX_ROUND_CHANGES_KEPT)]:
        del kept[round_][change.node_id]
    turn.set(round_changes={r: m for r, m in kept.items() if m})


def jump_round(state: State) -> int | None:
    """Rule 7: on max(2, f + 1) distinct ROUND-CHANGEs above its round, a replica moves to the lowest of them."""
    above: dict[str, int] = {}
    for round_ in sorted(state.round_changes):
        if round_ > state.round:
            above.update(dict.fromkeys(state.round_changes[round_], round_))
    if len(above) < quorum.jump_count(state):
        return None
    return min(above.values())


def go_on(turn: Turn) -> None:
    """What a round above 0 can do with the round changes it has: start its timer, and propose if we lead it.

    The timer runs only once a quorum has come this far: without a quorum nobody could decide anything, and rounds that
    ran on would only have to be caught up with when the quorum returns.
    """
    state = turn.state
    if state.round == 0:
        return
    arrived = {node for r, m in state.round_changes.items() if r >= state.round for node in m}
    if quorum.reached(state, len(arrived)):
        start_round_timer(turn)
    if quorum.is_leader(state) and state.own_proposal is None and not state.building and state.accepted is None:
        _propose(turn)


# -- proposing in a round above 0 --------------------------------------------------------------------------------------


def _propose(turn: Turn) -> None:
    """Rule 3: none prepared, a fresh block; otherwise the block of the highest prepared round."""
    state = turn.state
    changes = state.round_changes.get(state.round, {})
    if not quorum.reached(state, len(changes)) or state.delivering:
        return
    if ("pre-prepare", state.round) in state.signed:
        return
    highest = highest_prepared(m.round_change for m in changes.values())
    if highest is None:
        turn.set(building=True)
        turn.do(BuildBlock(state.height, state.round, empty_allowed=True))
        return
    source = next(m for _, m in sorted(changes.items()) if m.round_change == highest)
    if source.block is None or highest.prepared_digest is None:
        return
    proposal = justify(turn, highest.prepared_digest, source.block)
    if proposal is not None:
        turn.set(own_proposal=proposal)
        turn.broadcast(proposal)
        turn.set(accepted=Accepted(highest.prepared_digest, source.block, state.now_ms, "unknown"))
        turn.do(CheckBlock(state.height, state.round, highest.prepared_digest, source.block, fresh=False))


def justify(turn: Turn, digest: bytes, block: bytes) -> Proposal | None:
    """Our proposal of `block` for the current round, with the round changes and PREPAREs that justify it (rule 2)."""
    state = turn.state
    pre_prepare = votes.sign(turn, PrePrepare(state.height, state.round, digest, state.config.node_id, b""))
    if pre_prepare is None:
        return None
    votes.keep_pre_prepare(turn, pre_prepare)
    if state.round == 0:
        return Proposal(pre_prepare, block, (), ())
    messages = [m for _, m in sorted(state.round_changes.get(state.round, {}).items())]
    changes = tuple(m.round_change for m in messages)
    highest = highest_prepared(changes)
    prepares = next((m.prepares for m in messages if m.round_change == highest), ()) if highest else ()
    return Proposal(pre_prepare, block, changes, prepares)


# -- judging a proposal's justification --------------------------------------------------------------------------------


def is_justified(turn: Turn, proposal: Proposal) -> bool:
    """Rules 1 to 3: what a proposal must bring along for its round."""
    state = turn.state
    pre_prepare = proposal.pre_prepare
    if pre_prepare.round == 0:
        # Rule 1: a round-0 proposal has no justification.
        return not proposal.round_changes and not proposal.prepares
    changes = proposal.round_changes
    # Rule 2: at least q ROUND-CHANGE messages of distinct validators for exactly (h, r).
    if not quorum.reached(state, len(changes)) or len(changes) > len(state.validators):
        return False
    if any((c.height, c.round) != (state.height, pre_prepare.round) for c in changes):
        return False
    if not all(claim_is_well_formed(c) for c in changes):
        return False
    if not votes.each_once(changes, lambda c: votes.is_valid(state, c)):
        return False
    highest = highest_prepared(changes)
    if highest is None:
        return not proposal.prepares
    # Rule 3: two digests at one prepared round: refuse.
    if any(
        c.prepared_round == highest.prepared_round and c.prepared_digest != highest.prepared_digest for c in changes
    ):
        return False
    return highest.prepared_digest == pre_prepare.digest and is_prepared_certificate(
        state, highest.prepared_round or 0, pre_prepare.digest, proposal.prepares
    )


def highest_prepared(changes: Iterable[RoundChange]) -> RoundChange | None:
    """The round change that claims the highest prepared round; None if none claims any."""
    best: RoundChange | None = None
    for change in changes:
        if change.prepared_round is not None and (
            best is None or best.prepared_round is None or change.prepared_round > best.prepared_round
        ):
            best = change
    return best
