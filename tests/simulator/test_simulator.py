"""Fresh seeds each time, every seed that ever failed, and the proof that the simulator can fail."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger import layout
from ledger.encoding import pack, unpack
from ledger.types import Certificate
from tests.simulator import checker
from tests.simulator.__main__ import replay_command
from tests.simulator.actors import ACTORS
from tests.simulator.checker import Violation
from tests.simulator.cluster import Cluster, Sent
from tests.simulator.keys import quick_signatures
from tests.simulator.mutants import MUTANTS, hunt
from tests.simulator.plan import CRASHES, NETWORK, Plan, plan_of
from tests.simulator.run import simulate, simulate_beyond

FRESH_SEEDS = 150
BATCHES = 6
FIRST_SEED = int(os.environ.get("DAICHO_FIRST_SEED") or time.time() // 86_400 * 1_000)
CHECKED_IN = [
    int(line.split()[0])
    for line in (Path(__file__).parent / "seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_fresh_seeds_find_nothing(batch: int) -> None:
    count = FRESH_SEEDS // BATCHES
    first = FIRST_SEED + batch * count
    for seed in range(first, first + count):
        result = simulate(seed)
        assert result.ok, f"seed {seed} ({result.plan}): {result.violation}\nreplay: {replay_command(seed)}"


def test_seeds_that_once_failed_do_so_no_more() -> None:
    for seed in CHECKED_IN:
        result = simulate(seed)
        assert result.ok, f"{result.violation}\nreplay: {replay_command(seed)}"


@pytest.mark.parametrize("seed", [3, 11, 29])
def test_the_same_seed_tells_the_same_story_to_the_letter(seed: int) -> None:
    first, second = simulate(seed, trace=True), simulate(seed, trace=True)
    assert first.story == second.story
    assert first.digest == second.digest


def test_seeds_cover_every_size_fault_and_liar() -> None:
    plans = [plan_of(seed) for seed in range(2_000)]
    assert {p.validators for p in plans} == set(range(1, 8))
    assert {kind for p in plans for _, kind in p.liars} == set(ACTORS)
    assert {*CRASHES, *NETWORK} <= {f for p in plans for f in p.faults}
    assert any(p.twin for p in plans) and any(p.membership for p in plans)


@pytest.mark.parametrize("index", range(len(MUTANTS)), ids=[m.name for m in MUTANTS])
def test_a_broken_rule_is_caught(index: int) -> None:
    outcome = hunt(index)
    assert outcome.violation is not None, f"rule {outcome.rule}: survives {outcome.seeds} seeds"


def test_beyond_the_bound_disagreement_leaves_proof_against_the_liars_and_nobody_else() -> None:
    outcomes = [simulate_beyond(seed) for seed in range(1, 13)]
    assert [wrong for _, wrong in outcomes if wrong] == []
    assert any(disagreed for disagreed, _ in outcomes), "no run disagreed: the test shows nothing"


@settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=False)
@given(
    seed=st.integers(0, 10**6),
    validators=st.integers(1, 5),
    faults=st.lists(st.sampled_from([*CRASHES, *NETWORK]), min_size=1, max_size=4, unique=True),
)
def test_any_mixture_of_faults_is_lived_through(seed: int, validators: int, faults: list[str]) -> None:
    result = simulate(seed, plan=Plan(validators, 0, (), False, False, tuple(faults)))
    assert result.ok, result.violation


# -- the checker can fail ----------------------------------------------------------------------------------------------


@pytest.fixture
def finished() -> Cluster:
    cluster = Cluster(1, 4)
    with quick_signatures():
        for host in cluster.hosts.values():
            host.start()
        for _ in range(10):
            cluster.write(cluster.honest[:1])
            cluster.run_until(cluster.now_ms + 500)
    return cluster


def expect(cluster: Cluster, words: str) -> None:
    with quick_signatures(), pytest.raises(Violation, match=words):
        checker.check(cluster)


def test_the_checker_passes_what_is_right(finished: Cluster) -> None:
    with quick_signatures():
        checker.check(finished)
    assert len(finished.acknowledged) == 10


def test_the_checker_notices_a_lost_acknowledged_write(finished: Cluster) -> None:
    finished.acknowledged[bytes(32)] = 3
    expect(finished, "acknowledged")


def test_the_checker_notices_two_votes_for_a_step(finished: Cluster) -> None:
    sent = next(s for s in finished.sent if type(s.vote).__name__ == "Commit")
    finished.sent.append(Sent(sent.host, replace(sent.vote, digest=bytes(32), signature=bytes(64))))
    expect(finished, "two different Commit")


def test_the_checker_notices_an_honest_node_that_is_accused(finished: Cluster) -> None:
    sent = finished.sent[0]
    finished.evidence.append((sent.vote, sent.vote))
    expect(finished, "is honest and accused")


def test_the_checker_notices_a_certificate_without_a_quorum(finished: Cluster) -> None:
    host = finished.honest[0]
    key = layout.of_height(layout.CERTIFICATE, 2)
    raw = host.disk.kv.get(key)
    assert raw is not None
    certificate = unpack(Certificate, raw)
    thin = Certificate(certificate.height, certificate.round, certificate.block_hash, certificate.seals[:1])
    host.disk.kv.write({key: pack(thin)})
    expect(finished, "is certified by")
