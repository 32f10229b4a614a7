"""Latency of writes: from the moment at which each was due to the proof that it is in a certified block.

The clock of a write starts when it is due, not when it could be sent, so that a stall counts for every write that it
delays; the client checks certificate and proof before the clock stops.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

import click
import msgspec

from benchmarks.load import NotDone, Sample, curve, measured, open_loop
from benchmarks.machine import conditions
from benchmarks.network import BenchNetwork, running_network
from benchmarks.results import Plain, Result, finish, seed_and_output
from edge.client import ClientError, DaichoClient
from edge.terminal import TerminalProgress
from ledger.crypto import SigningKey
from ledger.encoding import Value

WARM_UP = 20
"""First writes that are not counted: connections open, caches fill."""


class AccountWrites:
    """Writes that each make an account, proved to this client, which goes on to another node when one fails."""

    def __init__(self, network: BenchNetwork, client: DaichoClient, chance: random.Random) -> None:
        self._client, self._chance = client, chance
        self._account, self._key = network.operator, network.key(network.operator)
        self.done: dict[bytes, int] = {}
        """The id of each write that was acknowledged, and the height at which it is said to be."""

    async def __call__(self, number: int) -> None:
        public_key = SigningKey(self._chance.randbytes(32)).public_key
        name = f"clerk-{self._chance.randbytes(8).hex()}"
        args: dict[str, Value] = {"account": name, "roles": ["donations.shelter"], "keys": [public_key]}
        transaction = self._client.sign(self._key, self._account, "governance", "create_account", args)
        try:
            committed = await self._client.submit_until_committed(transaction)
        except ClientError as fault:
            raise NotDone(type(fault).__name__) from None
        if committed.reason:
            raise NotDone(committed.reason)
        self.done[transaction.id] = committed.height


async def measure(folder: Path, nodes: int, writes: int, rate_per_s: float, seed: int) -> list[Sample]:
    chance = random.Random(seed)
    async with (
        running_network(folder, nodes) as network,
        DaichoClient(network.urls, network.genesis) as client,
    ):
        return await open_loop(AccountWrites(network, client, chance), rate_per_s, writes + WARM_UP, chance)


def figures_of(samples: list[Sample]) -> dict[str, Plain]:
    found: dict[str, Plain] = msgspec.to_builtins(measured(samples, WARM_UP))
    return {**found, "percentiles_ms": list(curve(samples, WARM_UP))}


def lines(nodes: int, rate_per_s: float, figures: dict[str, Plain]) -> list[str]:
    return [
        f"{figures['done']} of {figures['writes']} writes at {rate_per_s:g}/s on {nodes} nodes, due → proved:",
        f"  p50 {figures['p50_ms']} ms   p95 {figures['p95_ms']} ms   p99 {figures['p99_ms']} ms   "
        f"p99.9 {figures['p999_ms']} ms   longest {figures['longest_ms']} ms",
    ]


@click.command("latency")
@click.option("--nodes", type=click.IntRange(1, 10), default=4, show_default=True)
@click.option("--writes", type=click.IntRange(1), default=300, show_default=True)
@click.option("--rate", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Writes a second.")
@seed_and_output
def latency(nodes: int, writes: int, rate: float, seed: int, results: Path, as_json: bool) -> None:
    """Writes at a steady rate: how long from when each was due until it is proved to be certified.

    \b
    Examples:
      daicho bench latency
      daicho bench latency --rate 100 --writes 3000
    """
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        progress.stage(f"about {10 + (writes + WARM_UP) / rate:.0f} s")
        samples = asyncio.run(measure(Path(folder) / "net", nodes, writes, rate, seed))
    figures = figures_of(samples)
    plan = {"nodes": nodes, "writes": writes, "rate_per_s": rate}
    ok = figures["failed"] == 0
    finish(Result("latency", before, plan, figures), lines(nodes, rate, figures), results, as_json=as_json, ok=ok)
