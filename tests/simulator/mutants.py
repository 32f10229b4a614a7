"""Deliberate faults in the rules. A simulator that does not catch each of them is not to be trusted.

Every mutant is one rule broken in all replicas alike. It is run over seeds until one finds a violation; the table says
how many it took, and a mutant that survives its stated number fails the test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import click

from consensus import normal_case, quorum, round_change, votes
from consensus.effects import Effect, PersistPrepared, PersistVote
from consensus.messages import Commit, Vote
from consensus.state import State, Turn
from contracts.governance import execution
from edge.replica import Replica
from edge.sync import Sync
from ledger.refusal import Refused
from ledger.rules import BlockReason
from ledger.votes import commit_payload
from tests.simulator.disk import SimulatedJournal
from tests.simulator.plan import Plan, plan_of
from tests.simulator.run import simulate

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    rule: str
    patch: Patch
    plan: Callable[[int], Plan]
    within_seeds: int


def _replace(target: object, name: str, value: object) -> Patch:
    return lambda: mock.patch.object(target, name, value)


def _plan(
    *faults: str, n: tuple[int, ...] = (4,), liar: str = "", observers: int = 0, membership: bool = False
) -> Callable[[int], Plan]:
    def made(seed: int) -> Plan:
        liars = ((f"n{seed % n[seed % len(n)] + 1}", liar),) if liar else ()
        return Plan(n[seed % len(n)], observers, liars, False, membership, faults)

    return made


def _quorum(change: int) -> Callable[[State, int], bool]:
    return lambda state, count: count >= max(1, state.validators.quorum + change)


def _vote_before_sync(self: Replica, effects: tuple[Effect, ...]) -> None:
    late = [e for e in effects if isinstance(e, PersistVote | PersistPrepared)]
    for effect in effects:
        if effect not in late and not self.stopped():
            self._perform_one(effect)
    for effect in late:
        self._persist([effect.vote if isinstance(effect, PersistVote) else effect.record])


def _commit_early(turn: Turn) -> None:
    state = turn.state
    accepted = state.accepted
    if accepted is not None and accepted.verdict == "valid" and ("commit", state.round) not in state.signed:
        commit = votes.sign(turn, Commit(state.height, state.round, accepted.digest, state.config.node_id, b""))
        if commit is not None:
            votes.keep_commit(turn, commit)
            turn.broadcast(commit)
            normal_case.deliver_if_committed(turn, state.round, accepted.digest, sender=None)


def _payload_without_round(chain_id: bytes, vote: Vote) -> bytes:
    if isinstance(vote, Commit):
        return commit_payload(chain_id, vote.height, 0, vote.digest)
    return _payload_of(chain_id, vote)


_payload_of = votes.payload_of


@contextlib.contextmanager
def _judged_by_the_clock() -> Iterator[None]:
    check_block = Replica._check_block

    def strict(self: Replica, effect: Any) -> None:
        def near(header: Any, wall_ms: int) -> None:
            if abs(header.time_ms - wall_ms) > 5_000:
                raise Refused(BlockReason.TIME_AHEAD, ahead_ms=header.time_ms - wall_ms)

        with mock.patch("ledger.rules.check_proposal_time", near):
            check_block(self, type(effect)(effect.height, effect.round, effect.digest, effect.block, True))

    with mock.patch.object(Replica, "_check_block", strict):
        yield


@contextlib.contextmanager
def _votes_at_once() -> Iterator[None]:
    restart = Replica._restart

    def forget(self: Replica, vote_list: Any, prepared: Any, observe: int) -> None:
        del observe
        restart(self, vote_list, prepared, 0)

    with mock.patch.object(Replica, "_restart", forget):
        yield


def _duplicates_counted(found: tuple[Any, ...], valid: Callable[[Any], bool]) -> bool:
    return all(valid(v) for v in found)


def _uncapped(state: State) -> int:
    # Steeper than the rule's doubling, so that a run of a minute shows what an hour's outage would.
    return state.config.round_timeout_ms << (6 * state.round)


def _no_sync(self: Sync, height: int, now_ms: int) -> None:
    del self, height, now_ms


class _Credulous:
    """Stands for the signature check where statements of being in sync are judged."""

    @staticmethod
    def verify(public_key: bytes, payload: bytes, signature: bytes) -> bool:
        del public_key, payload, signature
        return True


def _any_commit(commits: Any, digest: bytes) -> tuple[Commit, ...]:
    del digest
    return tuple(commits[node] for node in sorted(commits))


CRASHES = ("crash", "crash at an effect", "restart all")
PARTITIONS = ("halves", "ring", "one way", "loss")

MUTANTS: tuple[Mutant, ...] = (
    Mutant("quorum one too small", "6", _replace(quorum, "reached", _quorum(-1)), plan_of, 40),
    Mutant("quorum one too large", "6", _replace(quorum, "reached", _quorum(1)), plan_of, 60),
    Mutant(
        "journal skipped",
        "8",
        _replace(SimulatedJournal, "append", lambda self, records: None),
        _plan(*CRASHES, n=(3, 4)),
        100,
    ),
    Mutant(
        "vote sent before it is synced", "8", _replace(Replica, "_perform", _vote_before_sync), _plan(*CRASHES), 200
    ),
    Mutant(
        "prepared certificate ignored",
        "3",
        _replace(round_change, "highest_prepared", lambda changes: None),
        _plan(*PARTITIONS, "pause", n=(4, 5)),
        200,
    ),
    Mutant(
        "prepared certificate not carried over rounds",
        "7",
        _replace(round_change, "carried", lambda state: None),
        _plan(*PARTITIONS, "pause", n=(4, 5)),
        100,
    ),
    Mutant(
        "own COMMIT counted before it has prepared",
        "5",
        _replace(normal_case, "commit_if_prepared", _commit_early),
        _plan(*PARTITIONS, "pause", n=(4, 5)),
        100,
    ),
    Mutant(
        "jump on one ROUND-CHANGE",
        "7",
        _replace(quorum, "jump_count", lambda state: 1),
        _plan("loss", liar="flooder"),
        40,
    ),
    Mutant(
        "the same signer counted twice",
        "2",
        _replace(votes, "each_once", _duplicates_counted),
        _plan(*PARTITIONS, "pause", liar="padder", n=(4, 5)),
        200,
    ),
    Mutant(
        "seal without its round",
        "6",
        _replace(votes, "payload_of", _payload_without_round),
        _plan(*CRASHES, "loss"),
        40,
    ),
    Mutant("re-proposed block judged by the clock", "4", _judged_by_the_clock, _plan(*PARTITIONS, *CRASHES), 200),
    Mutant(
        "timeout without a cap",
        "7",
        _replace(round_change, "timeout_ms", _uncapped),
        _plan("heavy loss", "crash", liar="silent leader", n=(4,)),
        200,
    ),
    Mutant("sync that stops", "10", _replace(Sync, "next_request", _no_sync), _plan(*CRASHES, n=(4, 7)), 40),
    Mutant(
        "admission without being in sync",
        "13",
        _replace(execution, "crypto", _Credulous),
        _plan("crash", observers=2, membership=True, n=(2, 3, 4)),
        60,
    ),
    Mutant(
        "commits of other blocks counted",
        "6",
        _replace(quorum, "matching_commits", _any_commit),
        _plan(*PARTITIONS, liar="double voter"),
        100,
    ),
    Mutant(
        "votes at once with a lost journal",
        "8",
        _votes_at_once,
        _plan("lost journal", "crash at an effect", "loss", n=(3, 4)),
        400,
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    rule: str
    seeds: int
    violation: str | None


def hunt(index: int) -> Outcome:
    """Run a mutant until a seed catches it, or its stated number of seeds is used up."""
    mutant = MUTANTS[index]
    with mutant.patch():
        for seed in range(1, mutant.within_seeds + 1):
            try:
                violation = simulate(seed, plan=mutant.plan(seed)).violation
            except Exception as error:  # noqa: BLE001 - a mutant may break an invariant of the code itself: caught
                violation = f"{type(error).__name__}: {error}"
            if violation is not None:
                return Outcome(mutant.name, mutant.rule, seed, violation)
    return Outcome(mutant.name, mutant.rule, mutant.within_seeds, None)


def run_all(jobs: int) -> int:
    """Hunt every mutant and print the table; how many survive."""
    survivors = 0
    with ProcessPoolExecutor(jobs) as pool:
        for outcome in pool.map(hunt, range(len(MUTANTS))):
            caught = outcome.violation is not None
            survivors += not caught
            verdict = f"caught after {outcome.seeds:>3} seeds" if caught else f"SURVIVES {outcome.seeds} seeds"
            click.echo(f"rule {outcome.rule:<3} {outcome.name:<46} {verdict}  {(outcome.violation or '')[:90]}")
    return survivors
