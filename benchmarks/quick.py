"""The three-minute answer: each of the main benchmarks in short, and a page of them."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.bound import bound
from benchmarks.failover import failover
from benchmarks.latency import latency
from benchmarks.report import build, newest
from benchmarks.results import seed_and_output
from benchmarks.throughput import throughput


@click.command("quick")
@seed_and_output
@click.pass_context
def quick(context: click.Context, seed: int, results: Path, as_json: bool) -> None:
    """Bound, latency, throughput and failover in short, under three minutes, and a page of them.

    \b
    Example:
      daicho bench quick
    """
    common = {"seed": seed, "results": results, "as_json": as_json}
    context.invoke(bound, seconds=1.0, **common)
    context.invoke(latency, writes=200, rate=10.0, **common)
    context.invoke(throughput, seconds=3.0, **common)
    context.invoke(failover, what=("leader-killed", "follower-killed"), times=3, seconds=5.0, **common)
    pages = build(newest(results), {}, results / "report")
    click.echo(f"page: {pages[1]}", err=as_json)
