"""Long outages: nothing runs away meanwhile, and all goes on within seconds of the quorum's return."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ledger.refusal import Refused
from ledger.rules import BlockReason
from tests.simulator import checker
from tests.simulator.cluster import Cluster, Host
from tests.simulator.keys import quick_signatures

HOUR_MS = 3_600_000
GO_ON_WITHIN_MS = 5_000
MAX_ROUND = 8


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with quick_signatures():
        yield


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(7, 4, 0)
    for host in cluster.hosts.values():
        host.start()
    write(cluster, every_ms=100, until_ms=2_000)
    return cluster


def write(cluster: Cluster, *, every_ms: int, until_ms: int) -> None:
    """Let clients write to whoever is up until then."""
    while cluster.now_ms < until_ms:
        up = [h for h in cluster.honest if h.up]
        cluster.write([up[cluster.now_ms // every_ms % len(up)]])
        cluster.run_until(min(until_ms, cluster.now_ms + every_ms))


def goes_on(cluster: Cluster) -> None:
    """A write to anybody who is up is committed soon, and nobody has gone far in rounds."""
    assert max(round_of(h) for h in cluster.honest if h.up) <= MAX_ROUND
    fresh = [cluster.write([h]).id for h in cluster.honest if h.up]
    done = cluster.run_until(cluster.now_ms + GO_ON_WITHIN_MS, lambda: all(i in cluster.acknowledged for i in fresh))
    assert done, {h.name: (height_of(h), round_of(h)) for h in cluster.honest}


def come_back(host: Host) -> None:
    if host.replica is None:
        host.start()
    host.resume()


def round_of(host: Host) -> int:
    return host.replica.round if host.replica is not None else 0


def height_of(host: Host) -> int:
    return host.replica.chain.height if host.replica is not None else -1


def settle(cluster: Cluster) -> None:
    """All stand at one head, and what must hold holds."""
    equal = cluster.run_until(
        cluster.now_ms + 2 * GO_ON_WITHIN_MS, lambda: len({height_of(h) for h in cluster.honest}) == 1
    )
    assert equal, {h.name: height_of(h) for h in cluster.honest}
    checker.check(cluster)


@pytest.mark.parametrize("stop", [Host.pause, Host.crash], ids=["paused", "down"])
def test_the_leader_is_gone_for_half_a_minute(cluster: Cluster, stop: Callable[[Host], None]) -> None:
    leader = cluster.hosts["n1"]
    assert leader.replica is not None and leader.replica.leader == "n1"
    stop(leader)
    goes_on(cluster)
    write(cluster, every_ms=200, until_ms=cluster.now_ms + 30_000)
    come_back(leader)
    goes_on(cluster)
    settle(cluster)


@pytest.mark.parametrize("stop", [Host.pause, Host.crash], ids=["paused", "down"])
@pytest.mark.parametrize("away_ms", [5 * 60_000, HOUR_MS])
def test_two_of_four_are_gone_and_one_returns(cluster: Cluster, stop: Callable[[Host], None], away_ms: int) -> None:
    gone = [cluster.hosts["n1"], cluster.hosts["n3"]]
    for host in gone:
        stop(host)
    # What was on its way may still be decided; from then on nothing is.
    cluster.run_until(cluster.now_ms + 1_000)
    heights = [height_of(h) for h in cluster.honest]
    write(cluster, every_ms=away_ms // 30, until_ms=cluster.now_ms + away_ms)
    assert [height_of(h) for h in cluster.honest if h.up] == [h for h in heights if h >= 0][-2:]
    come_back(gone[1])
    goes_on(cluster)
    come_back(gone[0])
    goes_on(cluster)
    settle(cluster)


def test_a_node_thousands_of_writes_behind_catches_up_while_writes_go_on_and_votes_again(cluster: Cluster) -> None:
    late = cluster.hosts["n4"]
    late.crash()
    for _ in range(2_000):
        cluster.write(cluster.honest[:1])
    write(cluster, every_ms=50, until_ms=cluster.now_ms + 30_000)
    assert len(cluster.acknowledged) > 2_500
    late.start()
    write(cluster, every_ms=50, until_ms=cluster.now_ms + 5_000)
    assert late.replica is not None
    assert height_of(late) >= height_of(cluster.hosts["n1"]) - 2
    assert late.replica.votes
    # Without it there is no quorum any more once another goes: it must vote by itself.
    cluster.hosts["n2"].crash()
    goes_on(cluster)
    cluster.hosts["n2"].start()
    settle(cluster)


def test_half_the_nodes_run_other_software_and_rounds_do_not_run_away(cluster: Cluster) -> None:
    """They refuse the others' blocks: nothing is decided, little is spent, and all goes on when they are mended."""

    def refuse(digest: bytes, raw: bytes, recovered: bool = False) -> None:
        raise Refused(BlockReason.WRONG_STATE_ROOT, keys="all")

    for name in ("n3", "n4"):
        replica = cluster.hosts[name].replica
        assert replica is not None
        replica._executor.execute = refuse  # type: ignore[method-assign, assignment]
    write(cluster, every_ms=1_000, until_ms=cluster.now_ms + 10 * 60_000)
    assert max(round_of(h) for h in cluster.honest) <= 80
    for name in ("n3", "n4"):
        cluster.hosts[name].crash()
        cluster.hosts[name].start()
    done = cluster.run_until(
        cluster.now_ms + 30_000, lambda: not any(len(h.replica.pool) for h in cluster.honest if h.replica)
    )
    assert done, {h.name: (height_of(h), round_of(h)) for h in cluster.honest}
    settle(cluster)
