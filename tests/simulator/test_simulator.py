"""Fresh seeds each time, every seed that ever failed, and the proof that the simulator can fail."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
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
from tests.simulator.plan import AMNESIA, CLOCK, CRASHES, DISK, NETWORK, Plan, Story, Strike, plan_of, story_of
from tests.simulator.run import simulate, simulate_beyond, tell
from tests.simulator.shrink import shrink

ROOT = Path(__file__).parents[2]
FRESH_SEEDS = 150
BATCHES = 6
FIRST_SEED = int(os.environ.get("DAICHO_FIRST_SEED") or time.time() // 86_400 * 1_000)
CHECKED_IN = [
    msgspec.json.decode(line, type=Story)
    for line in (Path(__file__).parent / "stories.jsonl").read_bytes().splitlines()
]
"""Stories that once failed, cut short. They run in every test; the story of a new failure is added and stays."""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_fresh_seeds_find_nothing(batch: int) -> None:
    count = FRESH_SEEDS // BATCHES
    first = FIRST_SEED + batch * count
    for seed in range(first, first + count):
        result = simulate(seed)
        assert result.ok, f"seed {seed} ({result.plan}): {result.violation}\nreplay: {replay_command(seed)}"


def test_stories_that_once_failed_do_so_no_more() -> None:
    for story in CHECKED_IN:
        result = tell(story)
        assert result.ok, f"{story.why}: {result.violation}"


@pytest.mark.parametrize("seed", [3, 11, 29])
def test_the_same_seed_tells_the_same_story_to_the_letter(seed: int) -> None:
    first, second = simulate(seed, trace=True), simulate(seed, trace=True)
    assert first.story == second.story
    assert first.digest == second.digest


def test_seeds_cover_every_size_fault_and_liar() -> None:
    plans = [plan_of(seed) for seed in range(2_000)]
    assert {p.validators for p in plans} == set(range(1, 8))
    assert {kind for p in plans for _, kind in p.liars} == set(ACTORS)
    assert {*CRASHES, *NETWORK, *DISK, *CLOCK, *AMNESIA} <= {f for p in plans for f in p.faults}
    assert any(p.twin for p in plans) and any(p.membership for p in plans)


@pytest.mark.parametrize("index", range(len(MUTANTS)), ids=[m.name for m in MUTANTS])
def test_a_broken_rule_is_caught(index: int) -> None:
    outcome = hunt(index)
    assert outcome.violation is not None, f"rule {outcome.rule}: survives {outcome.seeds} seeds"


def test_beyond_the_bound_disagreement_leaves_proof_against_the_liars_and_nobody_else() -> None:
    outcomes = [simulate_beyond(seed) for seed in range(1, 25)]
    assert [wrong for _, wrong in outcomes if wrong] == []
    assert any(disagreed for disagreed, _ in outcomes), "no run disagreed: the test shows nothing"


STORIES = st.builds(
    Story,
    seed=st.integers(0, 10**6),
    plan=st.builds(Plan, validators=st.integers(1, 7), observers=st.integers(0, 1), membership=st.booleans()),
    strikes=st.lists(
        st.builds(
            Strike,
            at_ms=st.integers(0, 8_000),
            kind=st.sampled_from([*CRASHES, *NETWORK, *DISK, "skew"]),
            host=st.sampled_from([f"n{i}" for i in range(1, 9)]),
            lasting_ms=st.integers(10, 4_000),
            dice=st.integers(0, 50),
        ),
        max_size=12,
    ).map(tuple),
    faults_ms=st.just(8_000),
)


@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(story=STORIES)
def test_any_story_of_faults_is_lived_through(story: Story) -> None:
    """hypothesis shrinks a failure to a short story."""
    result = tell(story)
    assert result.ok, f"{result.violation}\n{msgspec.json.encode(story).decode()}"


def test_a_failing_story_is_cut_down_to_what_it_needs() -> None:
    story = story_of(5, Plan(4, faults=("crash", "loss")))
    needed = story.strikes[3]
    short = shrink(story, lambda s: needed in s.strikes)
    assert short.strikes == (needed,)
    assert short.faults_ms < story.faults_ms


def test_the_same_seed_tells_the_same_story_whatever_the_hash_seed() -> None:
    def story(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.simulator", "--seed", "12", "--trace"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert story("1") == story("2")


def test_the_checker_shares_no_code_with_what_it_judges() -> None:
    tree = ast.parse((Path(__file__).parent / "checker.py").read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [m for m in modules if m.startswith(("consensus", "edge", "ledger.rules", "ledger.votes"))]


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
