"""Stopped and continued processes, under load: rounds do not run away, and all goes on within seconds.

The stops are short here; DAICHO_STOP_LEADER_S=30 and DAICHO_STOP_TWO_S=300 make them as long as a real outage.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import contracts
from edge.client import DaichoClient
from edge.init import PORTS_PER_NODE, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import NodeState, Watch
from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.types import Transaction

pytestmark = pytest.mark.process
STOP_LEADER_S = float(os.environ.get("DAICHO_STOP_LEADER_S", "4"))
STOP_TWO_S = float(os.environ.get("DAICHO_STOP_TWO_S", "6"))
GOES_ON_WITHIN_S = 5.0
RATE_PER_S = 10.0
MEMORY_GROWTH_MIB = 60
LIFETIME_MS = 45 * 60 * 1000
"""Longer than any outage here: nothing that was sent may die of old age."""


@dataclass
class Load:
    """Ten writes a second, each until it is committed; when each was acknowledged."""

    client: DaichoClient
    key: SigningKey
    account: str
    acknowledged_s: list[float] = field(default_factory=list)
    sent: list[Transaction] = field(default_factory=list)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    on: bool = True

    async def run(self) -> None:
        number = 0
        while self.on:
            number += 1
            task = asyncio.create_task(self.write(f"clerk-{number}"))
            self.under_way.add(task)
            task.add_done_callback(self.under_way.discard)
            await asyncio.sleep(1 / RATE_PER_S)

    async def write(self, name: str) -> None:
        """One account, created; returns when that is committed and proved."""
        args: dict[str, Value] = {
            "account": name,
            "roles": ["donations.officer"],
            "keys": [SigningKey(name.encode().ljust(32)).public_key],
        }
        transaction = self.client.sign(
            self.key, self.account, "governance", "create_account", args, lifetime_ms=LIFETIME_MS
        )
        self.sent.append(transaction)
        await self.client.submit_until_committed(transaction)
        self.acknowledged_s.append(time.monotonic())

    async def until_acknowledged_after(self, moment_s: float, within_s: float) -> float:
        """How long after `moment_s` the next acknowledgement came."""
        while time.monotonic() < moment_s + within_s:
            later = [at for at in self.acknowledged_s if at > moment_s]
            if later:
                return later[0] - moment_s
            await asyncio.sleep(0.05)
        raise AssertionError(f"nothing was acknowledged within {within_s} s")


@dataclass
class Network:
    net: Localnet
    watch: Watch
    load: Load

    def signal(self, node_id: str, number: signal.Signals) -> None:
        pid = self.net.pid(node_id)
        assert pid is not None, f"{node_id} does not run"
        os.kill(pid, number)

    def memory_mib(self, node_id: str) -> float:
        pages = int(Path(f"/proc/{self.net.pid(node_id)}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def states(self) -> dict[str, NodeState]:
        readings = await self.watch.read()
        return {r.state.node_id: r.state for r in readings if r.state is not None}

    async def level(self, within_s: float) -> None:
        """Until all nodes have the same head."""
        deadline = time.monotonic() + within_s
        while True:
            states = await self.states()
            if len(states) == 4 and len({s.head_hash for s in states.values()}) == 1:
                return
            assert time.monotonic() < deadline, {n: s.height for n, s in states.items()}
            await asyncio.sleep(0.1)


@asynccontextmanager
async def network(folder: Path) -> AsyncIterator[Network]:
    made = create_network(
        NetworkPlan(
            data=folder,
            nodes=4,
            municipalities=load_municipalities()[:4],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port("127.0.0.1", PORTS_PER_NODE * 4),
            network="stopped",
        )
    )
    net = Localnet(folder)
    account = f"operator.{net.file.nodes[0].organisation}"
    try:
        net.start_all(with_parent=True)
        async with Watch(net.urls) as watch, DaichoClient(net.urls, made.genesis) as client:
            await watch.until_quorum(30.0)
            load = Load(client, read_key(net.data / "accounts" / f"{account}.key"), account)
            running = asyncio.create_task(load.run())
            yield Network(net, watch, load)
            load.on = False
            await running
            await asyncio.gather(*load.under_way)
    finally:
        for place in net.file.nodes:
            pid = net.pid(place.node_id)
            if pid is not None:
                os.kill(pid, signal.SIGCONT)
        net.stop_all()


@pytest.mark.timeout(900)
async def test_a_stopped_leader_is_replaced_and_comes_back(tmp_path: Path) -> None:
    async with network(tmp_path / "net") as n:
        await asyncio.sleep(1)
        leader = next(iter((await n.states()).values())).leader
        n.signal(leader, signal.SIGSTOP)
        stopped_s = time.monotonic()
        gap_s = await n.load.until_acknowledged_after(stopped_s + 0.3, GOES_ON_WITHIN_S)
        assert gap_s < GOES_ON_WITHIN_S
        await asyncio.sleep(STOP_LEADER_S)
        n.signal(leader, signal.SIGCONT)
        await asyncio.sleep(1)
        n.load.on = False
        await asyncio.gather(*n.load.under_way)
        await n.level(15.0)
        assert all(s.votes for s in (await n.states()).values())
        assert len(n.load.acknowledged_s) == len(n.load.sent)


@pytest.mark.timeout(900)
async def test_two_of_four_stopped_acknowledge_nothing_and_go_on_within_seconds(tmp_path: Path) -> None:
    async with network(tmp_path / "net") as n:
        await asyncio.sleep(1)
        first, second, third, fourth = (p.node_id for p in n.net.file.nodes)
        before_mib = {node: n.memory_mib(node) for node in (third, fourth)}
        for node in (first, second):
            n.signal(node, signal.SIGSTOP)
        await asyncio.sleep(1)
        stopped_s = time.monotonic()
        await asyncio.sleep(STOP_TWO_S)
        assert [at for at in n.load.acknowledged_s if at > stopped_s] == []
        rounds = [s.round for s in (await n.states()).values()]
        assert max(rounds) <= 3, "rounds run away without a quorum"
        for node in (third, fourth):
            assert n.memory_mib(node) - before_mib[node] < MEMORY_GROWTH_MIB
        back_s = time.monotonic()
        for node in (first, second):
            n.signal(node, signal.SIGCONT)
        await n.load.until_acknowledged_after(back_s, GOES_ON_WITHIN_S)
        n.load.on = False
        await asyncio.gather(*n.load.under_way)
        await n.level(15.0)
        assert len(n.load.acknowledged_s) == len(n.load.sent)
