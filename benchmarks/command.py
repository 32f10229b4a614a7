"""`daicho bench`: the benchmarks, each imported when it is asked for."""

from __future__ import annotations

import click

from edge.console import Loaded

BENCHMARKS = {
    "audit": "benchmarks.audit:audit",
    "bound": "benchmarks.bound:bound",
    "failover": "benchmarks.failover:failover",
    "growth": "benchmarks.growth:growth",
    "intake": "benchmarks.intake_command:intake",
    "latency": "benchmarks.latency:latency",
    "proof": "benchmarks.proof:proof",
    "quick": "benchmarks.quick:quick",
    "report": "benchmarks.report:report",
    "snapshot": "benchmarks.snapshot:snapshot",
    "throughput": "benchmarks.throughput:throughput",
}


@click.group(cls=Loaded, places=BENCHMARKS)
def bench() -> None:
    """Measure this machine and networks on it. Each result is kept with the conditions under which it was found.

    \b
    Begin with:
      daicho bench quick             three minutes: bound, latency, throughput, failover, and a page of them
      daicho bench report            the page of all results that are kept
    """
