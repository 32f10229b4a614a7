"""Writes a second: by nodes, payload and sort of write, with writers that wait, and at a rate past what can be had.

First so many writers write as fast as they are answered (closed loop). Then the same write is offered at shares of that
rate and beyond it (open loop): the saturation curve shows what latency each load has, and that overload does not make
the network do less.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import click
import msgspec

from benchmarks.bound import writes_bound_per_s
from benchmarks.calls import REAL, Kind, Signer, kind_of, senders
from benchmarks.load import Measured, Poster, Send, closed_loop, measured, open_loop
from benchmarks.machine import conditions
from benchmarks.network import BenchNetwork, running_network
from benchmarks.results import Result, finish, seed_and_output
from edge.http.shapes import MAX_SUBMITTED
from edge.municipalities import load_municipalities
from edge.terminal import TerminalProgress

KINDS = ("blank", *REAL)
NODES = (1, 3, 4, 7)
PAYLOADS = (100, 250, 1_000, 4_000)
SHARES = (0.25, 0.5, 0.75, 1.0, 2.0)
"""Of the closed loop's rate: offered in the open one. The last doubles what there is no more of."""
MOST_PER_S = 4_000
"""So many writes are signed ahead for each second of a closed loop, and no more are made."""


@dataclass(frozen=True, slots=True)
class Plan:
    nodes: tuple[int, ...]
    payloads_bytes: tuple[int, ...]
    kinds: tuple[str, ...]
    batches: tuple[int, ...]
    writers: int
    seconds: float
    curve: bool
    seed: int

    @property
    def about_s(self) -> float:
        runs = len(self.payloads_bytes) * ("blank" in self.kinds) + len([k for k in self.kinds if k != "blank"])
        runs *= len(self.batches)
        return len(self.nodes) * (8 + runs * self.seconds * (1.5 + (len(SHARES) * 1.5 if self.curve else 0)))


class Offered(msgspec.Struct, frozen=True):
    offered_per_s: float
    measured: Measured


class Point(msgspec.Struct, frozen=True):
    """One sort of write on so many nodes. `of_bound`: the closed loop's rate as a share of the signature bound."""

    nodes: int
    kind: str
    payload_bytes: int
    batch: int
    """Writes in one request."""
    closed: Measured
    of_bound: float
    curve: tuple[Offered, ...]


async def measure(plan: Plan, folder: Path, progress: TerminalProgress, checks_per_s: int) -> list[Point]:
    points: list[Point] = []
    code = load_municipalities()[0].code
    for nodes in plan.nodes:
        async with running_network(folder / f"net-{nodes}", nodes, senders(code)) as network:
            signer = Signer(network, random.Random(plan.seed))
            for name in plan.kinds:
                for payload in plan.payloads_bytes if name == "blank" else (0,):
                    for batch in plan.batches:
                        size = f" of {payload} bytes" if payload else ""
                        progress.stage(f"{nodes} nodes, {name}{size}, {batch} in a request")
                        loaded = _Loaded(plan, network, signer, name, payload, batch)
                        points.append(await loaded.point(checks_per_s))
    return points


@dataclass
class _Loaded:
    plan: Plan
    network: BenchNetwork
    signer: Signer
    name: str
    payload_bytes: int
    batch: int

    async def point(self, checks_per_s: int) -> Point:
        plan, kind, nodes = self.plan, kind_of(self.name, self.payload_bytes), len(self.network.urls)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            first = self.signer.before(kind)
            await closed_loop(Poster(session, self.network.urls, first), 1, plan.seconds, len(first))
            sends = int(plan.seconds * MOST_PER_S) // self.batch
            writers = max(2 * nodes, plan.writers // self.batch)
            send = self._send(session, self.signer.sign(kind, sends * self.batch))
            samples = await closed_loop(send, writers, plan.seconds, sends, each=self.batch)
            closed = measured(samples, writers * self.batch)
            curve = [
                await self._offered(session, kind, closed.per_s * share)
                for share in (SHARES if plan.curve and closed.per_s else ())
            ]
        bound = writes_bound_per_s(checks_per_s, os.cpu_count() or 1, nodes)
        return Point(
            nodes, self.name, self.payload_bytes, self.batch, closed, round(closed.per_s / bound, 3), tuple(curve)
        )

    async def _offered(self, session: aiohttp.ClientSession, kind: Kind, rate_per_s: float) -> Offered:
        sends = max(1, int(rate_per_s * self.plan.seconds / self.batch))
        send = self._send(session, self.signer.sign(kind, sends * self.batch))
        samples = await open_loop(send, rate_per_s / self.batch, sends, self.signer.chance, each=self.batch)
        return Offered(round(rate_per_s, 1), measured(samples))

    def _send(self, session: aiohttp.ClientSession, raws: Sequence[bytes]) -> Send:
        return Poster(session, self.network.urls, raws, takes_refusals=self.name == "blank", batch=self.batch)


def lines(points: Sequence[Point]) -> list[str]:
    said = ["nodes  write        bytes  batch   writes/s  of bound     p50 ms     p99 ms  failed"]
    for point in points:
        closed = point.closed
        said.append(
            f"{point.nodes:5}  {point.kind:<11}  {point.payload_bytes or '':>5}  {point.batch:5}  {closed.per_s:9}  "
            f"{point.of_bound:8}  {_ms(closed.p50_ms)} {_ms(closed.p99_ms)}  {closed.failed:6}"
        )
        said += [
            f"       offered {one.offered_per_s:9}/s          {one.measured.per_s:9}            "
            f"{_ms(one.measured.p50_ms)} {_ms(one.measured.p99_ms)}  {one.measured.failed:6}"
            for one in point.curve
        ]
    return said


def _ms(value: float | None) -> str:
    return f"{'-' if value is None else value:>9}"


@click.command("throughput")
@click.option("--nodes", type=click.IntRange(1, 10), multiple=True, default=(4,), show_default=True)
@click.option("--payload", type=click.IntRange(1, 32_000), multiple=True, default=(250,), show_default=True)
@click.option("--kind", type=click.Choice(KINDS), multiple=True, default=("blank",), show_default=True)
@click.option(
    "--batch",
    type=click.IntRange(1, MAX_SUBMITTED),
    multiple=True,
    default=(1, 64),
    show_default=True,
    help="Writes in one request.",
)
@click.option("--full", is_flag=True, help="1, 3, 4, 7 nodes; 100 to 4,000 bytes; blank and each contract.")
@click.option("--writers", type=click.IntRange(1, 2_000), default=128, show_default=True, help="Of the closed loop.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Of each loop.")
@click.option("--curve/--no-curve", default=True, show_default=True, help="Open loops at shares of that rate.")
@seed_and_output
def throughput(
    nodes: tuple[int, ...],
    payload: tuple[int, ...],
    kind: tuple[str, ...],
    batch: tuple[int, ...],
    full: bool,
    writers: int,
    seconds: float,
    curve: bool,
    seed: int,
    results: Path,
    as_json: bool,
) -> None:
    """Writes a second in a closed loop, its share of the signature bound, and latency against offered load.

    \b
    Examples:
      daicho bench throughput
      daicho bench throughput --nodes 1 --nodes 4 --kind blank --kind ecopoints
      daicho bench throughput --full
    """
    if full:
        nodes, payload, kind = NODES, PAYLOADS, KINDS
    plan = Plan(nodes, payload, kind, batch, writers, seconds, curve, seed)
    before = conditions(seed)
    with TerminalProgress(quiet=as_json) as progress, tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        progress.stage(f"about {plan.about_s:.0f} s")
        points = asyncio.run(measure(plan, Path(folder), progress, before.signature_checks_per_s))
    figures = {"points": msgspec.to_builtins(points)}
    finish(Result("throughput", before, asdict(plan), figures), lines(points), results, as_json=as_json)
