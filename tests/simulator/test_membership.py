"""Validators come, go and are replaced under load, for every size from 1 to 7, and the chain never stops for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.simulator import checker
from tests.simulator.cluster import Cluster, Host
from tests.simulator.keys import quick_signatures

PATIENCE_MS = 20_000
LONGEST_GAP_MS = 1_500
LONGEST_GAP_LOSS_MS = 5_000
"""A lost message is said again after a second, and a second one may be lost too."""


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with quick_signatures():
        yield


class Loaded:
    """A cluster with a write every 100 ms, to one node after another; notices how long nothing was committed."""

    def __init__(self, validators: int, observers: int, *, loss: float = 0.0) -> None:
        self.cluster = Cluster(validators * 10 + observers, validators, observers, term_blocks=20)
        self.cluster.network.weather.loss = loss
        self.longest_gap_ms = LONGEST_GAP_LOSS_MS if loss else LONGEST_GAP_MS
        for host in self.cluster.hosts.values():
            host.start()
        self._turn = 0
        self._write()

    def _write(self) -> None:
        hosts = self.cluster.honest
        self.cluster.write([hosts[self._turn % len(hosts)]])
        self._turn += 1
        self.cluster.at(100, self._write)

    def until(self, done: Callable[[], bool], what: str) -> None:
        assert self.cluster.run_until(self.cluster.now_ms + PATIENCE_MS, done), what

    def pass_ms(self, time_ms: int) -> None:
        self.cluster.run_until(self.cluster.now_ms + time_ms)

    def members(self, host: Host) -> tuple[str, ...]:
        assert host.replica is not None
        return host.replica.chain.validators.ids

    def until_everywhere(self, members: set[str]) -> None:
        hosts = self.cluster.honest
        self.until(lambda: all(set(self.members(h)) == members for h in hosts), f"nobody came to {sorted(members)}")

    def end(self) -> None:
        """All that must hold, and that writes went on all the time."""
        self.cluster.network.weather.loss = 0.0
        self.pass_ms(3_000)
        checker.check(self.cluster)
        times = sorted(self.cluster.decided_ms.values())
        gap_ms = max(b - a for a, b in pairwise(times))
        assert gap_ms <= self.longest_gap_ms, f"nothing was committed for {gap_ms} ms"


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize("n", range(1, 7))
def test_one_more_and_one_less_under_load(n: int, loss: float) -> None:
    loaded = Loaded(n, 1, loss=loss)
    cluster = loaded.cluster
    names = list(cluster.node_ids)
    loaded.pass_ms(1_000)
    cluster.admit(cluster.hosts[names[-1]], cluster.honest)
    loaded.until_everywhere(set(names))
    loaded.pass_ms(1_000)
    # The one that leads goes: the worst that can be taken away.
    first = cluster.hosts[names[-1]].replica
    assert first is not None
    leader = first.leader
    cluster.govern(cluster.honest, "propose_demotion", node_id=leader)
    loaded.until_everywhere(set(names) - {leader})
    loaded.end()


def test_a_network_of_one_grows_to_seven_and_shrinks_again_without_a_stop() -> None:
    loaded = Loaded(1, 6)
    cluster = loaded.cluster
    names = list(cluster.node_ids)
    for size in range(2, 8):
        cluster.admit(cluster.hosts[names[size - 1]], cluster.honest)
        loaded.until_everywhere(set(names[:size]))
        loaded.pass_ms(300)
    for size in range(6, 0, -1):
        cluster.govern(cluster.honest, "propose_demotion", node_id=names[size])
        loaded.until_everywhere(set(names[:size]))
        loaded.pass_ms(300)
    loaded.end()


@pytest.mark.parametrize("n", range(1, 7))
def test_one_is_replaced_by_another_in_one_step(n: int) -> None:
    loaded = Loaded(n, 1)
    cluster = loaded.cluster
    names = list(cluster.node_ids)
    loaded.pass_ms(500)
    cluster.admit(cluster.hosts[names[-1]], cluster.honest, leaving=names[0])
    loaded.until_everywhere(set(names[1:]))
    loaded.end()


@pytest.mark.parametrize("n", [1, 3, 4])
def test_a_rotated_key_costs_no_place_in_the_set(n: int) -> None:
    loaded = Loaded(n, 0)
    cluster = loaded.cluster
    loaded.pass_ms(500)
    for host in cluster.honest:
        cluster.rotate(host, cluster.honest)
        key = host.keys[-1].public_key
        loaded.until(
            lambda h=host, k=key: h.replica.chain.validators.find(h.node_id).public_key == k,  # type: ignore[misc]
            "the key was not changed",
        )
    loaded.end()
    assert all(set(loaded.members(h)) == set(cluster.node_ids) for h in cluster.honest)


def test_a_removed_validator_votes_no_more_and_goes_on_as_an_observer() -> None:
    loaded = Loaded(4, 0)
    cluster = loaded.cluster
    loaded.pass_ms(500)
    cluster.govern(cluster.honest, "propose_demotion", node_id="n3")
    loaded.until_everywhere({"n1", "n2", "n4"})
    votes = sum(s.host == "n3" for s in cluster.sent)
    loaded.pass_ms(3_000)
    loaded.end()
    gone = cluster.hosts["n3"].replica
    stays = cluster.hosts["n1"].replica
    assert gone is not None and stays is not None
    assert gone.chain.height >= stays.chain.height - 1
    assert sum(s.host == "n3" for s in cluster.sent) == votes


def test_a_wiped_node_observes_before_it_votes_again() -> None:
    loaded = Loaded(4, 0)
    cluster = loaded.cluster
    loaded.pass_ms(2_000)
    host = cluster.hosts["n2"]
    host.crash()
    host.disk.wipe()
    loaded.pass_ms(500)
    host.start()
    assert host.replica is not None and not host.replica.votes
    loaded.until(lambda: host.replica is not None and host.replica.votes, "it never voted again")
    loaded.end()
