"""Software changed node by node while somebody writes, and a contract's version that begins at a height.

Three of four nodes get a build with version 2 of a contract, one after the other. The fourth says beforehand that it
lacks it, stops at the last block that it can execute, and goes on from there once it is upgraded: no fork, no wipe.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import contracts
from edge.client import DaichoClient
from edge.config import load_config
from edge.demo_check import check_writes, places
from edge.init import CONFIG_NAME, PORTS_PER_NODE, Network, NetworkPlan, create_network
from edge.keys import read_key
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import NodeState, Watch
from edge.writers import Call, Pace, Signer, WriteLog, Writer, monotonic_ms
from ledger.crypto import SigningKey
from ledger.encoding import Value

pytestmark = pytest.mark.process
ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0
AHEAD_BLOCKS = 60
NEXT_BUILD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import contracts
from contracts import Donations, EcoPoints, Governance, Volunteers
from ledger.contract import Runtime

class Later(Donations):
    version = 2

contracts.runtime = lambda: Runtime([Governance(), Donations(), Later(), EcoPoints(), Volunteers()])
from cli import main
main()
"""
"""Tomorrow's software: today's, and one contract in one more version."""


class Town:
    """Four processes, each in one build or the other."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.names = [n.node_id for n in network.file.nodes]
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.next_build = folder / "next_build.py"
        self.next_build.write_text(NEXT_BUILD, encoding="utf-8")
        self.this_build = ROOT / "cli.py"

    def home(self, name: str) -> Path:
        return self.network.data / "nodes" / name

    def url(self, name: str) -> str:
        return f"http://{load_config(self.home(name) / CONFIG_NAME).values.http_listen}"

    @property
    def urls(self) -> list[str]:
        return [self.url(name) for name in self.names]

    def key(self, index: int) -> tuple[str, SigningKey]:
        account = f"operator.{self.network.file.nodes[index].organisation}"
        return account, read_key(self.network.data / "accounts" / f"{account}.key")

    async def start(self, name: str, build: Path) -> None:
        with (self.home(name) / "node.log").open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                sys.executable, str(build), "node", "run", "--home", str(self.home(name)), stdout=log, stderr=log
            )

    async def stop(self, name: str) -> None:
        process = self._processes.pop(name)
        process.terminate()
        assert await process.wait() == 0, (self.home(name) / "node.log").read_text()[-2000:]

    async def stop_all(self) -> None:
        for name in list(self._processes):
            await self.stop(name)

    def kill_all(self) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.kill()

    async def until(self, name: str, holds: Callable[[NodeState], bool]) -> NodeState:
        deadline = time.monotonic() + WITHIN_S
        async with Watch([self.url(name)]) as watch:
            while True:
                state = (await watch.read_one(self.url(name))).state
                if state is not None and holds(state):
                    return state
                assert time.monotonic() < deadline, (name, state, (self.home(name) / "node.log").read_text()[-2000:])
                await asyncio.sleep(0.1)


@asynccontextmanager
async def four_nodes(folder: Path) -> AsyncIterator[Town]:
    network = create_network(
        NetworkPlan(
            data=folder / "net",
            nodes=4,
            municipalities=load_municipalities()[:4],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port("127.0.0.1", PORTS_PER_NODE * 4),
            network="upgrade",
        )
    )
    town = Town(network, folder)
    try:
        for name in town.names:
            await town.start(name, town.this_build)
        async with Watch(town.urls) as watch:
            await watch.until_quorum(WITHIN_S)
        yield town
    finally:
        town.kill_all()


async def agree(client: DaichoClient, town: Town, method: str, /, **args: Value) -> None:
    """Three of four organisations."""
    proposal = ""
    for index in range(3):
        account, key = town.key(index)
        call: tuple[str, dict[str, Value]] = ("approve", {"proposal": proposal}) if proposal else (method, dict(args))
        done = await client.submit_until_committed(client.sign(key, account, "governance", *call))
        assert not done.reason, done.reason
        proposal = str(done.result["proposal"])


class Load:
    """Somebody creates an account every so often, and looks whether each is there in the end."""

    def __init__(self, town: Town, client: DaichoClient, folder: Path) -> None:
        account, key = town.key(3)
        self.log = WriteLog(folder / "writes.jsonl")
        self._account = account
        self._writer = Writer(client, Signer(town.network.genesis.chain_id, {account: key}), self.log)
        self._on = True

    async def run(self) -> None:
        start, position = monotonic_ms(), 0
        while self._on:
            position += 1
            name = f"clerk-{position}"
            args: dict[str, Value] = {"account": name, "roles": [],
                                      "keys": [SigningKey(name.encode().ljust(32)).public_key]}  # fmt: skip
            call = Call(name, self._account, "governance", "create_account", lambda _, args=args: args)
            await self._writer.run([(position, call)], Pace(start, 10.0))

    def end(self) -> None:
        self._on = False


@pytest.mark.timeout(300)
async def test_nodes_are_upgraded_one_by_one_under_load_and_who_is_not_stops_before_it_would_fork(
    tmp_path: Path,
) -> None:
    async with four_nodes(tmp_path) as town, DaichoClient(town.urls, town.network.genesis) as client:
        load = Load(town, client, tmp_path)
        writing = asyncio.create_task(load.run())
        upgraded, late = town.names[:3], town.names[3]
        for name in upgraded:
            await town.stop(name)
            await town.start(name, town.next_build)
            await town.until(name, lambda s: s.in_sync and s.reaches_quorum and s.votes)
        height = (await client.head()).height + AHEAD_BLOCKS
        await agree(client, town, "propose_contract", contract="donations", version=2, from_height=height)

        # Beforehand: it says which contract, which version and from when, and goes on voting.
        warned = await town.until(late, lambda s: any(a.code == "missing_version" for a in s.advice))
        said = next(a.text for a in warned.advice if a.code == "missing_version")
        assert warned.halted is None and f"runs in version 2 from height {height} on" in said

        # At the height: it has stopped right before it, and the others go on without it.
        stopped = await town.until(late, lambda s: s.halted is not None)
        assert stopped.height == height - 1
        assert "donations" in (stopped.halted or "")
        await town.until(upgraded[0], lambda s: s.height > height + 3)

        # Upgraded, it goes on from its own last block.
        await town.stop(late)
        await town.start(late, town.next_build)
        await town.until(late, lambda s: s.in_sync and s.votes and s.height > height)
        load.end()
        await writing
        async with Watch(town.urls) as watch:
            await watch.until_equal(WITHIN_S)
        await town.stop_all()
    load.log.close()
    assert all(w.acknowledged_ms is not None and not w.reason for w in load.log.writes)
    assert len(load.log.writes) > 20
    for name in town.names:
        found = places(town.home(name))
        assert [p for p in check_writes(load.log.writes, found) if "that nobody sent" not in p] == []
