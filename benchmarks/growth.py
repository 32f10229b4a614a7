"""A chain that grows: writes a second, memory, disk, restart and audit against its height.

`--transactions 1000000` is the whole of it, for hours; the default is a part that takes minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import click
import msgspec

import contracts
from benchmarks.calls import REAL, Signer, senders
from benchmarks.load import Poster, Sample, closed_loop, measured
from benchmarks.machine import conditions, memory_bytes
from benchmarks.network import BenchNetwork, running_network
from benchmarks.results import Result, finish, seed_and_output
from edge.municipalities import load_municipalities
from edge.stopped import store_of
from edge.terminal import TerminalProgress
from edge.verify import Terms, verify_store
from edge.watch import Watch

KIND = "ecopoints"
BACK_WITHIN_S = 300.0
STEP_WITHIN_S = 3_600.0
SIGNED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    transactions: int
    steps: int
    nodes: int
    writers: int
    seed: int


class Step(msgspec.Struct, frozen=True):
    """The chain after so many transactions. Memory and disk are those of the node that has most."""

    transactions: int
    height: int
    per_s: float
    p99_ms: float | None
    memory_bytes: int | None
    disk_bytes: int
    restart_s: float
    """Of one node that was stopped, from its start until its head is that of the others."""
    audit_s: float
    """Of its whole store, by all processors: signatures, certificates, roots, everything executed again."""


async def measure(plan: Plan, folder: Path, progress: TerminalProgress) -> list[Step]:
    steps: list[Step] = []
    code = load_municipalities()[0].code
    async with (
        running_network(folder, plan.nodes, senders(code)) as network,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        signer = Signer(network, random.Random(plan.seed))
        first = signer.before(REAL[KIND])
        await closed_loop(Poster(session, network.urls, first), 1, STEP_WITHIN_S, len(first))
        for step in range(1, plan.steps + 1):
            upto, before = plan.transactions * step // plan.steps, plan.transactions * (step - 1) // plan.steps
            samples = await _write(plan, network, session, signer, upto - before)
            progress.done(upto, plan.transactions)
            steps.append(await _step(network, upto, samples))
    return steps


async def _write(
    plan: Plan, network: BenchNetwork, session: aiohttp.ClientSession, signer: Signer, count: int
) -> list[list[Sample]]:
    """So many more writes, signed some thousands ahead between the loops that are timed."""
    loops: list[list[Sample]] = []
    while count > 0:
        raws = signer.sign(REAL[KIND], min(count, SIGNED_AT_ONCE))
        send = Poster(session, network.urls, raws)
        loops.append(await closed_loop(send, plan.writers, STEP_WITHIN_S, len(raws)))
        count -= len(raws)
    return loops


async def _step(network: BenchNetwork, transactions: int, loops: Sequence[Sequence[Sample]]) -> Step:
    found = [measured(loop) for loop in loops]
    if any(one.failed for one in found):
        raise RuntimeError(f"writes failed: {[one.faults for one in found if one.failed]}")
    seconds = sum(one.done / one.per_s for one in found if one.per_s)
    nodes = [place.node_id for place in network.net.file.nodes]
    memory = [used for pid in network.pids if (used := memory_bytes(pid)) is not None]
    disk = max(network.disk_bytes(node) for node in nodes)
    async with Watch(network.urls) as watch:
        height = max(r.state.height for r in await watch.until_equal(BACK_WITHIN_S) if r.state is not None)
        await asyncio.to_thread(network.net.stop, nodes[-1])
        audit_s = await asyncio.to_thread(_audit_s, network, nodes[-1])
        started = time.monotonic()
        network.net.start(nodes[-1], with_parent=True)
        await watch.until_equal(BACK_WITHIN_S)
        restart_s = time.monotonic() - started
    return Step(
        transactions, height, round(sum(one.done for one in found) / seconds, 1),
        max((one.p99_ms for one in found if one.p99_ms is not None), default=None),
        max(memory, default=None), disk, round(restart_s, 2), round(audit_s, 2),
    )  # fmt: skip


def _audit_s(network: BenchNetwork, node_id: str) -> float:
    started = time.monotonic()
    terms = Terms(network.genesis, contracts.runtime(), parallel=os.cpu_count() or 1)
    verify_store(store_of(network.net.home(node_id)), terms)
    return time.monotonic() - started


def lines(steps: Sequence[Step]) -> list[str]:
    said = ["transactions   height   writes/s    p99 ms   memory MB    disk MB   restart s   audit s"]
    for one in steps:
        memory = "-" if one.memory_bytes is None else f"{one.memory_bytes / 1e6:.0f}"
        said.append(
            f"{one.transactions:12}  {one.height:7}  {one.per_s:9}  {one.p99_ms or '-':>8}  {memory:>10}  "
            f"{one.disk_bytes / 1e6:9.1f}  {one.restart_s:10}  {one.audit_s:8}"
        )
    return said


@click.command("growth")
@click.option("--transactions", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True)
@click.option(
    "--steps", type=click.IntRange(1, 100), default=5, show_default=True, help="Points at which it is looked at."
)
@click.option("--nodes", type=click.IntRange(1, 10), default=4, show_default=True)
@click.option("--writers", type=click.IntRange(1, 2_000), default=128, show_default=True)
@seed_and_output
def growth(transactions: int, steps: int, nodes: int, writers: int, seed: int, results: Path, as_json: bool) -> None:
    """A growing chain: writes a second, memory, disk, restart and audit against its height.

    \b
    Examples:
      daicho bench growth
      daicho bench growth --transactions 1000000 --steps 20
    """
    plan = Plan(transactions, steps, nodes, writers, seed)
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        progress.stage(f"{transactions} transactions on {nodes} nodes; at 500/s about {transactions / 500 + 30:.0f} s")
        found = asyncio.run(measure(plan, Path(folder) / "net", progress))
    figures = {"steps": msgspec.to_builtins(found)}
    finish(Result("growth", before, asdict(plan), figures), lines(found), results, as_json=as_json)
