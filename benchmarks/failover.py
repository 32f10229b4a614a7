"""A node is killed or stopped amid steady writes: for how long nobody gets an answer, and whether a write is lost.

Each time is one of many: the node comes back and catches up before the next. The gap is the longest time between two
acknowledgements that followed each other. At the end every block is read: each acknowledged write is in the chain, at
the height that was proved, once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import click
import msgspec

from benchmarks.latency import AccountWrites
from benchmarks.load import Measured, Sample, measured, open_loop
from benchmarks.machine import conditions
from benchmarks.network import BenchNetwork, running_network
from benchmarks.results import Result, finish, percentile, seed_and_output
from edge.client import DaichoClient
from edge.terminal import TerminalProgress
from edge.watch import Watch, leader
from ledger.encoding import unpack
from ledger.rules import MAX_BLOCK_BYTES
from ledger.types import Block, Transaction

What = Literal["leader-killed", "follower-killed", "leader-stopped"]
WHATS: tuple[What, ...] = ("leader-killed", "follower-killed", "leader-stopped")
CAUGHT_UP_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    what: tuple[What, ...]
    times: int
    nodes: int
    rate_per_s: float
    seconds: float
    """Of writes around each fault, which comes after a quarter of them."""
    seed: int


class Faults(msgspec.Struct, frozen=True):
    """All repetitions of one fault."""

    what: str
    gaps_ms: tuple[float, ...]
    """The longest gap of each time, shortest first."""
    gap_p50_ms: float
    gap_longest_ms: float
    writes: Measured


class Kept(msgspec.Struct, frozen=True):
    acknowledged: int
    lost: int
    doubled: int
    elsewhere: int
    """In another block than was proved."""


def longest_gap_ms(samples: Sequence[Sample]) -> float:
    """The longest time between two acknowledgements that followed each other."""
    times = sorted(sample.done_ms for sample in samples if sample.done_ms is not None)
    return round(max((later - earlier for earlier, later in pairwise(times)), default=0.0), 1)


def kept(acknowledged: dict[bytes, int], chain: Sequence[tuple[int, bytes]]) -> Kept:
    """Compares what was acknowledged with the (height, transaction) pairs of a whole chain."""
    times = Counter(transaction for _, transaction in chain)
    heights = {transaction: height for height, transaction in chain}
    return Kept(
        acknowledged=len(acknowledged),
        lost=sum(transaction not in heights for transaction in acknowledged),
        doubled=sum(count > 1 for count in times.values()),
        elsewhere=sum(heights.get(one, height) != height for one, height in acknowledged.items()),
    )


async def measure(plan: Plan, folder: Path, progress: TerminalProgress) -> tuple[list[Faults], Kept]:
    chance = random.Random(plan.seed)
    async with (
        running_network(folder, plan.nodes) as network,
        DaichoClient(network.urls, network.genesis) as client,
        Watch(network.urls) as watch,
    ):
        writes = AccountWrites(network, client, chance)
        await open_loop(writes, plan.rate_per_s, int(plan.rate_per_s), chance)  # connections open, caches fill
        found = []
        for what in plan.what:
            progress.stage(f"{what}, {plan.times} times")
            samples: list[Sample] = []
            gaps: list[float] = []
            for time in range(plan.times):
                these = await _once(plan, network, watch, writes, what, chance)
                gaps.append(longest_gap_ms(these))
                samples += these
                progress.done(time + 1, plan.times)
            gaps.sort()
            found.append(Faults(what, tuple(gaps), percentile(gaps, 0.5), gaps[-1], measured(samples)))
        progress.stage("reading every block")
        chain = [
            (block.height, Transaction.parse(raw).id)
            async for block in client.blocks(1)
            for raw in unpack(Block, block.raw, MAX_BLOCK_BYTES).transactions
        ]
        return found, kept(writes.done, chain)


async def _once(
    plan: Plan, network: BenchNetwork, watch: Watch, writes: AccountWrites, what: What, chance: random.Random
) -> list[Sample]:
    """Steady writes with one fault among them, and then the wait until all nodes have the same head again."""
    count = max(4, int(plan.rate_per_s * plan.seconds))
    async with asyncio.TaskGroup() as group:
        load = group.create_task(open_loop(writes, plan.rate_per_s, count, chance))
        await asyncio.sleep(plan.seconds / 4)
        leads = leader(await watch.read())
        node = next(p.node_id for p in network.net.file.nodes if (p.node_id == leads) == what.startswith("leader"))
        if what == "leader-stopped":
            os.kill(_pid(network, node), signal.SIGSTOP)
        else:
            await asyncio.to_thread(network.net.kill, node)
    if what == "leader-stopped":
        os.kill(_pid(network, node), signal.SIGCONT)
    else:
        network.net.start(node, with_parent=True)
    await watch.until_equal(CAUGHT_UP_WITHIN_S)
    return load.result()


def _pid(network: BenchNetwork, node: str) -> int:
    pid = network.net.pid(node)
    if pid is None:
        raise RuntimeError(f"the node {node} has ended by itself")
    return pid


def lines(plan: Plan, found: Sequence[Faults], kept_: Kept) -> list[str]:
    said = [
        f"Longest gap between answers at {plan.rate_per_s:g} writes/s on {plan.nodes} nodes, {plan.times} times each:"
    ]
    said += [
        f"  {one.what:<16} p50 {one.gap_p50_ms:7} ms   longest {one.gap_longest_ms:7} ms   "
        f"a write's p50 {one.writes.p50_ms} ms, longest {one.writes.longest_ms} ms, {one.writes.failed} failed"
        for one in found
    ]
    return [
        *said,
        f"  {kept_.acknowledged} writes acknowledged; lost {kept_.lost}, doubled {kept_.doubled}, "
        f"elsewhere {kept_.elsewhere}",
    ]


@click.command("failover")
@click.option("--what", type=click.Choice(WHATS), multiple=True, default=WHATS, help="Else all three.")
@click.option("--times", type=click.IntRange(1, 1_000), default=5, show_default=True, help="Repetitions of each.")
@click.option("--nodes", type=click.IntRange(3, 10), default=4, show_default=True)
@click.option("--rate", type=click.FloatRange(0.5), default=10.0, show_default=True, help="Writes a second.")
@click.option("--seconds", type=click.FloatRange(1.0), default=6.0, show_default=True, help="Of writes around each.")
@seed_and_output
def failover(
    what: tuple[What, ...],
    times: int,
    nodes: int,
    rate: float,
    seconds: float,
    seed: int,
    results: Path,
    as_json: bool,
) -> None:
    """The leader or a follower is killed (-9) or stopped amid writes: the longest gap, and nothing lost or doubled.

    \b
    Examples:
      daicho bench failover
      daicho bench failover --what leader-killed --times 50
    """
    plan = Plan(what, times, nodes, rate, seconds, seed)
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        progress.stage(f"about {10 + len(what) * times * (seconds + 4):.0f} s")
        found, intact = asyncio.run(measure(plan, Path(folder) / "net", progress))
    figures = {"faults": msgspec.to_builtins(found), "kept": msgspec.to_builtins(intact)}
    ok = intact.lost == intact.doubled == intact.elsewhere == 0
    finish(
        Result("failover", before, asdict(plan), figures), lines(plan, found, intact), results, as_json=as_json, ok=ok
    )
