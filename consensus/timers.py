"""When the core wants to be woken, and what it does then. There is one timer; here is all that it stands for."""

from __future__ import annotations

from consensus import normal_case, quorum, round_change
from consensus.effects import SetTimer
from consensus.state import State, Turn


def on_time(turn: Turn) -> None:
    """Do whatever is due at `now_ms`."""
    state = turn.state
    deadline = round_deadline_ms(state)
    if deadline is not None and state.now_ms >= deadline:
        round_change.start(turn, state.round + 1)
    heartbeat = heartbeat_ms(turn.state)
    if heartbeat is not None and state.now_ms >= heartbeat:
        normal_case.propose_if_due(turn, heartbeat=True)
    if turn.state.resend_at_ms is not None and state.now_ms >= turn.state.resend_at_ms:
        resend(turn)


def resend(turn: Turn) -> None:
    """Say again where we stand: what was lost on the way heals without anybody asking."""
    state = turn.state
    if state.me is None or state.delivering:
        turn.set(resend_at_ms=None)
        return
    turn.set(resend_at_ms=state.now_ms + state.config.resend_ms)
    if state.round > 0:
        own = state.round_changes.get(state.round, {}).get(state.config.node_id)
        if own is not None:
            turn.broadcast(own)
    if state.own_proposal is not None:
        turn.broadcast(state.own_proposal)
    votes = state.round_votes
    for vote in (votes.prepares.get(state.config.node_id), votes.commits.get(state.config.node_id)):
        if vote is not None:
            turn.broadcast(vote)


def round_deadline_ms(state: State) -> int | None:
    """When the current round is given up; None if there is nothing to wait for."""
    if state.me is None or state.delivering:
        return None
    if state.round > 0:
        return state.round_timer_ms
    config = state.config
    gone = quorum.proposer(state, 0) in state.lost_peers
    idle_ms = config.missing_heartbeats * state.parameters.heartbeat_ms
    deadlines = [state.height_since_ms + idle_ms + config.request_timeout_ms]
    if state.work_since_ms is not None:
        # Rule 9: a pending transaction that the leader does not propose in time starts a round change.
        wait_ms = config.lost_leader_timeout_ms if gone else config.request_timeout_ms
        if state.accepted is None:
            deadlines.append(max(state.work_since_ms, state.height_since_ms) + wait_ms)
        if censored(state):
            deadlines.append(state.now_ms)
    if state.accepted is not None:
        deadlines.append(state.accepted.at_ms + config.round_timeout_ms)
    return min(deadlines)


def censored(state: State) -> bool:
    """Rule 9: the leader proposes, but block after block without the transaction that waits longest."""
    leader = quorum.proposer(state, 0)
    return state.passed_over_blocks >= state.config.passed_over_limit_blocks and leader != state.config.node_id


def heartbeat_ms(state: State) -> int | None:
    """Rule 14: when the leader proposes an empty block, as a slow heartbeat."""
    if state.round != 0 or state.accepted is not None or state.building or not quorum.is_leader(state):
        return None
    if ("pre-prepare", 0) in state.signed or state.delivering:
        return None
    return state.height_since_ms + state.parameters.heartbeat_ms


def set_timer(turn: Turn) -> None:
    """Ask for the next Tick, if the time for it has changed."""
    state = turn.state
    times = (round_deadline_ms(state), heartbeat_ms(state), state.resend_at_ms)
    due = [at for at in times if at is not None]
    at_ms = max(min(due), state.now_ms + 1) if due else None
    if at_ms is not None and at_ms != state.timer_ms:
        turn.do(SetTimer(at_ms))
    turn.set(timer_ms=at_ms)
