"""Latency at ten writes a second on four nodes: from the intended moment of sending to the proved certificate.

`python -m benchmarks.latency` (`make bench`). The clock of a write starts when it is due, not when it could be sent, so
that a stall counts for every write that it delays. The client checks certificate and proof before it stops the clock.
Printed with what is needed to judge the figures: machine, commit, versions, seed, and the rate at which this machine
checks signatures, which is what bounds any ledger of this kind.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

import contracts
from benchmarks.machine import commit, processor, signature_checks_per_s
from edge.client import DaichoClient
from edge.init import PORTS_PER_NODE, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import Watch
from edge.writers import monotonic_ms
from ledger.crypto import SigningKey
from ledger.encoding import Value

HOST = "127.0.0.1"
WARM_UP = 20
"""First writes that are not counted: connections open, caches fill."""
LIBRARIES = ("cryptography", "msgspec", "plyvel", "aiohttp", "uvloop")


@dataclass(frozen=True, slots=True)
class Figures:
    nodes: int
    writes: int
    rate_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    signature_checks_per_s: int
    """Of one core of this machine, measured in this run."""
    machine: str
    processors: int
    system: str
    python: str
    libraries: dict[str, str]
    commit: str
    seed: int
    load_before: float
    """The machine's load average before the run: figures from a busy machine say little."""


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    rank = max(1, -(-len(sorted_values) * round(share * 1000) // 1000))
    return sorted_values[rank - 1]


async def measure(
    net: Localnet, client: DaichoClient, count: int, rate_per_s: float, chance: random.Random
) -> list[float]:
    """Latencies in ms of `count` writes, each due at its own time, whatever became of those before."""
    account = f"operator.{net.file.nodes[0].organisation}"
    key = read_key(net.data / "accounts" / f"{account}.key")
    start_ms = monotonic_ms() + 200
    latencies: list[float] = []

    async def write(number: int, due_ms: float) -> None:
        await asyncio.sleep(max(0.0, (due_ms - monotonic_ms()) / 1000))
        public_key = SigningKey(chance.randbytes(32)).public_key
        args: dict[str, Value] = {"account": f"clerk-{number}", "roles": ["donations.shelter"], "keys": [public_key]}
        transaction = client.sign(key, account, "governance", "create_account", args)
        committed = await client.submit_until_committed(transaction)
        if committed.reason:
            raise RuntimeError(f"write {number} was refused: {committed.reason}")
        latencies.append(monotonic_ms() - due_ms)

    async with asyncio.TaskGroup() as group:
        for number in range(count + WARM_UP):
            # Around its tenth of a second, so that no write falls into step with a timer of ours.
            jitter_ms = chance.uniform(0, 1000 / rate_per_s)
            group.create_task(write(number, start_ms + number * 1000 / rate_per_s + jitter_ms))
    return sorted(latencies[WARM_UP:])


async def run(data: Path, nodes: int, count: int, rate_per_s: float, seed: int) -> Figures:
    load_before, checks = os.getloadavg()[0], signature_checks_per_s()
    made = create_network(
        NetworkPlan(
            data=data,
            nodes=nodes,
            municipalities=load_municipalities()[:nodes],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port(HOST, PORTS_PER_NODE * nodes),
            network="daicho-bench",
        )
    )
    net = Localnet(data)
    try:
        net.start_all(with_parent=True)
        async with Watch(net.urls) as watch:
            await watch.until_quorum(30.0)
        async with DaichoClient(net.urls, made.genesis) as client:
            latencies = await measure(net, client, count, rate_per_s, random.Random(seed))
    finally:
        net.stop_all()
    return Figures(
        nodes=nodes,
        writes=len(latencies),
        rate_per_s=rate_per_s,
        p50_ms=round(percentile(latencies, 0.50), 2),
        p95_ms=round(percentile(latencies, 0.95), 2),
        p99_ms=round(percentile(latencies, 0.99), 2),
        longest_ms=round(latencies[-1], 2),
        signature_checks_per_s=checks,
        machine=processor(),
        processors=os.cpu_count() or 0,
        system=platform.platform(),
        python=platform.python_version(),
        libraries={name: importlib.metadata.version(name) for name in LIBRARIES},
        commit=commit(),
        seed=seed,
        load_before=round(load_before, 2),
    )


@click.command()
@click.option("--nodes", default=4, show_default=True)
@click.option("--writes", default=300, show_default=True)
@click.option("--rate", default=10.0, show_default=True, help="Writes a second.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(nodes: int, writes: int, rate: float, seed: int, as_json: bool) -> None:
    """Measure and print the latency of writes."""
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        figures = asyncio.run(run(Path(folder) / "net", nodes, writes, rate, seed))
    if as_json:
        click.echo(json.dumps(asdict(figures), indent=2))
        return
    click.echo(
        f"{figures.writes} writes at {figures.rate_per_s:g}/s on {figures.nodes} nodes, intended send → certified:"
    )
    click.echo(f"  p50 {figures.p50_ms} ms   p95 {figures.p95_ms} ms   p99 {figures.p99_ms} ms")
    click.echo(f"  longest {figures.longest_ms} ms")
    click.echo(f"  {figures.machine}, {figures.processors} processors, load {figures.load_before} before the run")
    click.echo(f"  {figures.signature_checks_per_s} signature checks/s on one core")
    click.echo(f"  commit {figures.commit}, seed {figures.seed}, Python {figures.python}, {figures.system}")
    click.echo("  " + ", ".join(f"{name} {version}" for name, version in figures.libraries.items()))


if __name__ == "__main__":
    main()
