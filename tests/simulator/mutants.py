"""Deliberate faults in the rules. A simulator that does not catch each of them is not to be trusted.

Every mutant is one rule broken in all replicas alike. It is run over seeds until one finds a violation; the table says
how many it took, and a mutant that survives its stated number fails the test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import click

from consensus import normal_case, quorum, round_change, timers, votes
from consensus.effects import CheckBlock, Effect, PersistPrepared, PersistVote
from consensus.events import BlockChecked, PreparedRecord
from consensus.messages import Commit, Vote
from consensus.state import State, Turn
from contracts.governance import execution
from edge.execution import Executor
from edge.journal import Record
from edge.replica import Replica
from edge.sync import Sync
from ledger import crypto, rules
from ledger.refusal import BrokenInvariant, Refused
from ledger.rules import BlockReason
from ledger.types import Transaction
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
    *faults: str,
    n: tuple[int, ...] = (4,),
    liar: str = "",
    which: tuple[str, ...] = (),
    observers: int = 0,
    membership: bool = False,
    busy: bool = False,
) -> Callable[[int], Plan]:
    def made(seed: int) -> Plan:
        names = which or (f"n{seed % n[seed % len(n)] + 1}",)
        liars = tuple((name, liar) for name in names) if liar else ()
        return Plan(n[seed % len(n)], observers, liars, False, membership, faults, busy)

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

    public_key = staticmethod(crypto.public_key)

    @staticmethod
    def verify(public_key: bytes, payload: bytes, signature: bytes) -> bool:
        del public_key, payload, signature
        return True


_persist = Replica._persist
_check_transaction = rules.check_transaction
_round_deadline_ms = timers.round_deadline_ms


def _votes_only(self: Replica, records: Sequence[Record]) -> None:
    kept = [r for r in records if not isinstance(r, PreparedRecord)]
    if kept:
        _persist(self, kept)


def _never_expired(chain_id: bytes, state: Any, height_of: Any, transaction: Transaction, now_ms: int) -> Any:
    now_ms = min(now_ms, transaction.body.expires_at_ms - 1)
    return _check_transaction(chain_id, state, height_of, transaction, now_ms)


def _never_twice(chain_id: bytes, state: Any, height_of: Any, transaction: Transaction, now_ms: int) -> Any:
    return _check_transaction(chain_id, state, lambda transaction_id: None, transaction, now_ms)


def _unseen(self: Replica, effect: CheckBlock) -> None:
    self._events.append(
        BlockChecked(self._now.monotonic_ms, effect.height, effect.round, effect.digest, None),
    )


def _patient(state: State) -> int | None:
    return None if state.round == 0 else _round_deadline_ms(state)


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
        _plan("heavy loss", "crash", liar="silent leader", which=("n2", "n3"), n=(7,)),
        40,
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
    Mutant(
        "prepared certificate not kept on disk",
        "5",
        _replace(Replica, "_persist", _votes_only),
        _plan(*CRASHES, *PARTITIONS, n=(3, 4)),
        100,
    ),
    Mutant("block voted for unseen", "3", _replace(Replica, "_check_block", _unseen), _plan(liar="bad blocks"), 40),
    Mutant(
        "expired transactions in blocks",
        "L",
        _replace(rules, "check_transaction", _never_expired),
        _plan(*PARTITIONS),
        40,
    ),
    Mutant(
        "committed transactions in blocks again",
        "L",
        _replace(rules, "check_transaction", _never_twice),
        _plan(*PARTITIONS, liar="bad blocks"),
        100,
    ),
    Mutant(
        "transactions' signatures unchecked in blocks",
        "L",
        _replace(Executor, "_is_signed_once", lambda self, transaction: True),
        _plan("loss", liar="bad blocks"),
        40,
    ),
    Mutant(
        "synced certificates unchecked",
        "10",
        _replace(rules, "check_certificate", lambda header, certificate, validators, recovery_keys=None: None),
        _plan(*CRASHES, *PARTITIONS, liar="boaster"),
        40,
    ),
    Mutant(
        "fresh block's time unjudged",
        "4",
        _replace(rules, "check_proposal_time", lambda header, wall_ms: None),
        _plan("loss", liar="bad blocks"),
        40,
    ),
    Mutant(
        "a censor stays leader",
        "9",
        _replace(timers, "censored", lambda state: False),
        _plan(liar="censor", which=("n1",), busy=True),
        60,
    ),
    Mutant(
        "a silent leader stays leader",
        "9",
        _replace(timers, "round_deadline_ms", _patient),
        _plan(liar="silent leader"),
        40,
    ),
    Mutant(
        "votes kept however far ahead",
        "11",
        _replace(votes, "in_window", lambda state, round_: True),
        _plan("loss", liar="flooder"),
        40,
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
            result = simulate(seed, plan=mutant.plan(seed))
            if result.error is not None and not isinstance(result.error, BrokenInvariant):
                # Not the rule is broken but the mutant itself: it must be mended, not counted as caught.
                raise result.error
            if result.violation is not None:
                caught = seed, result.violation
                break
        else:
            return Outcome(mutant.name, mutant.rule, mutant.within_seeds, None)
    # The same run with the rule unbroken: what was caught was the mutant.
    seed, violation = caught
    innocent = simulate(seed, plan=mutant.plan(seed)).violation
    if innocent is not None:
        raise BrokenInvariant(f"seed {seed} of {mutant.name!r} fails without the mutant as well: {innocent}")
    return Outcome(mutant.name, mutant.rule, seed, violation)


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
