"""The core of the consensus: `step(state, event) -> (state, effects)`. PBFT, one instance a height.

The rules are those of DESIGN section 5 (docs/consensus.md), found in this package by their words: leaders and quorums
in `quorum`, proposals and votes in `normal_case`, what happens when a leader fails in `round_change`, time in `timers`.
No I/O, no clock, no chance: what comes in is an event, what goes out are effects.
"""

from __future__ import annotations

from typing import assert_never

from consensus import normal_case, round_change, timers, votes
from consensus.effects import Effect, FallBehind, SendDecided
from consensus.events import (
    Advanced,
    BlockBuilt,
    BlockChecked,
    Event,
    PeerLost,
    Received,
    Restarted,
    Tick,
    WorkPending,
)
from consensus.messages import (
    Commit,
    Decided,
    Message,
    Prepare,
    PrePrepare,
    Proposal,
    RoundChange,
    RoundChangeMessage,
)
from consensus.state import MAX_FUTURE_MESSAGES, Config, State, Turn, step_of
from ledger.registry import Parameters
from ledger.types import Header, ValidatorSet


def initial(config: Config, header: Header, validators: ValidatorSet) -> State:
    """A state that waits for Restarted."""
    return State(config, header, validators)


def step(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """The state after an event, and the effects to perform in order. The given state is left as it is."""
    turn = Turn(state)
    turn.set(now_ms=max(state.now_ms, event.now_ms))
    match event:
        case Tick():
            pass
        case Received():
            if event.sender in state.lost_peers:
                turn.set(lost_peers=state.lost_peers - {event.sender})
            _receive(turn, event.sender, event.message)
        case WorkPending():
            turn.set(work_since_ms=event.oldest_since_ms, passed_over_blocks=event.passed_over_blocks)
            normal_case.propose_if_due(turn)
        case BlockBuilt():
            normal_case.on_built(turn, event)
        case BlockChecked():
            normal_case.on_checked(turn, event)
        case Advanced():
            _advance(turn, event.header, event.validators, event.parameters)
        case PeerLost():
            turn.set(lost_peers=state.lost_peers | {event.peer})
        case Restarted():
            _restart(turn, event)
        case _:
            assert_never(event)
    timers.on_time(turn)
    timers.set_timer(turn)
    return turn.state, turn.effects()


# -- messages ----------------------------------------------------------------------------------------------------------


def height_of(message: Message) -> int:
    match message:
        case Proposal():
            return message.pre_prepare.height
        case RoundChangeMessage():
            return message.round_change.height
        case Prepare() | Commit():
            return message.height
        case Decided():
            return message.certificate.height
        case _:
            assert_never(message)


def _receive(turn: Turn, sender: str, message: Message) -> None:
    state = turn.state
    height = height_of(message)
    if height < state.height:
        # Rule 10: a decided node answers an old ROUND-CHANGE with the decided block.
        if isinstance(message, RoundChangeMessage) and height > 0:
            turn.do(SendDecided(sender, height))
    elif height > state.height:
        _receive_from_the_future(turn, sender, message, height)
    else:
        match message:
            case Proposal():
                normal_case.on_proposal(turn, sender, message)
            case Prepare():
                normal_case.on_prepare(turn, sender, message)
            case Commit():
                normal_case.on_commit(turn, sender, message)
            case RoundChangeMessage():
                round_change.on_round_change(turn, sender, message)
            case Decided():
                pass  # Its certificate is checked where blocks are synced: the replica takes it before it comes here.
            case _:
                assert_never(message)


def _receive_from_the_future(turn: Turn, sender: str, message: Message, height: int) -> None:
    """Rule 11: kept for later only for the next height, and few of each peer; beyond it there is sync."""
    state = turn.state
    if height > state.height + 1:
        turn.do(FallBehind(sender, height - 1))
        return
    kept = (*state.future.get(sender, ()), message)[-MAX_FUTURE_MESSAGES:]
    turn.set(future={**state.future, sender: kept})


# -- heights -----------------------------------------------------------------------------------------------------------


def _advance(turn: Turn, header: Header, validators: ValidatorSet, parameters: Parameters) -> None:
    """The ledger stands at a new head: leave its height (rule 6), and let the timeouts fall back (rule 7)."""
    state = turn.state
    if header.height < state.height:
        return
    future = state.future if header.height == state.height else {}
    fresh = State(
        config=state.config,
        head=header,
        validators=validators,
        parameters=parameters,
        now_ms=state.now_ms,
        observe_through_height=state.observe_through_height,
        height_since_ms=state.now_ms,
        work_since_ms=state.work_since_ms,
        passed_over_blocks=0 if header.proposer != state.head.proposer else state.passed_over_blocks,
        lost_peers=state.lost_peers,
        timer_ms=state.timer_ms,
    )
    turn.state = fresh
    for sender in sorted(future):
        for message in future[sender]:
            _receive(turn, sender, message)


def _restart(turn: Turn, event: Restarted) -> None:
    """Rule 8: after a restart never a second, different vote; what was voted before is counted and sent again."""
    config = turn.state.config
    turn.state = State(
        config=config,
        head=event.header,
        validators=event.validators,
        parameters=event.parameters,
        now_ms=event.now_ms,
        observe_through_height=event.observe_through_height,
        height_since_ms=event.now_ms,
    )
    height = turn.state.height
    mine = [v for v in event.votes if v.height == height]
    turn.set(signed={step_of(v): v for v in mine}, round=max((v.round for v in mine), default=0))
    prepared = event.prepared
    if prepared is not None and prepared.height == height:
        turn.set(prepared=prepared, blocks={prepared.digest: prepared.block})
    for vote in mine:
        match vote:
            case Prepare():
                votes.keep_prepare(turn, vote)
            case Commit():
                votes.keep_commit(turn, vote)
            case PrePrepare():
                votes.keep_pre_prepare(turn, vote)
            case RoundChange():
                if vote.round == turn.state.round:
                    _take_up_round_change(turn, vote)
            case _:
                assert_never(vote)
    round_change.start_round_timer(turn)
    if mine:
        timers.resend(turn)


def _take_up_round_change(turn: Turn, vote: RoundChange) -> None:
    """Our ROUND-CHANGE from before the restart, with its certificate if that is the one on disk."""
    prepared = turn.state.prepared
    if vote.prepared_round is None:
        round_change.keep(turn, RoundChangeMessage(vote, None, ()))
    elif prepared is not None and prepared.round == vote.prepared_round:
        round_change.keep(turn, RoundChangeMessage(vote, prepared.block, prepared.prepares))
