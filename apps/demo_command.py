"""`daicho demo`: a network on this machine with its applications, to look at or, unattended, to be checked."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
from dataclasses import asdict
from pathlib import Path

import click

from contracts.donations.shipments import commitment
from edge.console import REFUSED, json_option, nodes_option, show, with_runtime
from edge.demo import DemoPlan, run_once, stay_up
from edge.terminal import TerminalProgress, report_lines
from ledger.contract import Runtime


@click.command()
@click.option("--once", is_flag=True, help="Unattended: kill the leader amid writes, check everything, report, end.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=Path("demo-data"), show_default=True)
@nodes_option
@click.option("--base-port", type=click.IntRange(1024, 65_000), help="The first of two ports a node; else free ones.")
@click.option("--mqtt", is_flag=True, help="The first start's readings come through a broker (needs Mosquitto).")
@json_option
@with_runtime
def demo(
    runtime: Runtime, once: bool, data: Path, nodes: int, base_port: int | None, mqtt: bool, as_json: bool
) -> None:
    """Four nodes, the applications, a week of relief supplies, a month of eco-points. Ctrl-C ends it.

    \b
    Examples:
      daicho demo
      daicho demo --once --data /tmp/demo --nodes 3
    """
    plan = DemoPlan(
        data=data,
        nodes=nodes,
        runtime=runtime,
        commitment=commitment,
        base_port=base_port,
    )
    with TerminalProgress(quiet=as_json) as progress:
        if not once:
            # The applications have dependencies of their own, which a node does without.
            applications = importlib.import_module("apps.demo")
            plan = dataclasses.replace(plan, applications=applications.accounts(plan.week.municipalities))
            with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
                asyncio.run(
                    stay_up(
                        plan, progress, lambda net: applications.beside(plan, net, progress, mqtt=mqtt, as_json=as_json)
                    )
                )
            return
        report = asyncio.run(run_once(plan, progress))
    show(as_json, {"ok": report.ok, **asdict(report)}, *report_lines(report))
    if not report.ok:
        raise click.exceptions.Exit(REFUSED)
