"""Nodes as operators run them, one process each, for the length of a benchmark."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import contracts
from edge.init import PORTS_PER_NODE, AccountPlan, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import Watch
from ledger.crypto import SigningKey
from ledger.genesis import Genesis

HOST = "127.0.0.1"
READY_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class BenchNetwork:
    net: Localnet
    genesis: Genesis

    @property
    def urls(self) -> list[str]:
        return self.net.urls

    @property
    def pids(self) -> list[int]:
        """Of the nodes that run."""
        return [running.pid for running in self.net.running() if running.pid is not None]

    @property
    def operator(self) -> str:
        """The account of the first organisation's operator."""
        return f"operator.{self.net.file.nodes[0].organisation}"

    def key(self, account: str) -> SigningKey:
        return read_key(self.net.data / "accounts" / f"{account}.key")

    def disk_bytes(self, node_id: str) -> int:
        """What a node's data takes on its disk."""
        files = (self.net.home(node_id) / "data").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())


@asynccontextmanager
async def running_network(
    folder: Path, nodes: int, accounts: Sequence[AccountPlan] = (), municipalities: int = 0
) -> AsyncIterator[BenchNetwork]:
    """A new network in `folder`, in sync and with its quorum; its processes end with the block."""
    made = create_network(
        NetworkPlan(
            data=folder,
            nodes=nodes,
            municipalities=load_municipalities()[: max(nodes, municipalities)],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port(HOST, PORTS_PER_NODE * nodes),
            network="daicho-bench",
            accounts=accounts,
        )
    )
    net = Localnet(folder)
    try:
        net.start_all(with_parent=True)
        async with Watch(net.urls) as watch:
            await watch.until_quorum(READY_WITHIN_S)
        yield BenchNetwork(net, made.genesis)
    finally:
        net.stop_all()
