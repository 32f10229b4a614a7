"""The command line: `daicho`. The commands of `edge/command_line/` put together with the contracts and the node.

Exit codes: 0 done; 1 refused, or a fault was found; 2 wrong usage, or it could not be checked; 3 no node answered in
time or no quorum; 130 ended by Ctrl-C. Every command takes `--json`; then errors are JSON too, on standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
from dataclasses import asdict
from pathlib import Path

import click

import contracts
import node as daicho_node
from apps.ecopoints.devices.command import simulate_devices
from apps.volunteers.credentials.command import credential
from contracts.donations.shipments import commitment
from edge.command_line import archiving, asking, checking, evidence, networks, proving, recovering, snapshots
from edge.console import REFUSED, Commands, json_option, nodes_option, show, with_runtime
from edge.demo import DemoPlan, run_once, stay_up
from edge.init import CONFIG_NAME
from edge.localnet import stop_with_parent
from edge.terminal import TerminalProgress, report_lines
from ledger.contract import Runtime


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="daicho")
@click.pass_context
def main(context: click.Context) -> None:
    """Daicho (台帳): a permissioned ledger for local government.

    \b
    Begin with:
      daicho demo                    four nodes, a week of relief supplies, a status page
      daicho init --nodes 4 --data DIR
      daicho localnet up --data DIR
    """
    context.obj = contracts.runtime()


for command in (
    networks.init,
    networks.localnet,
    asking.status,
    asking.tx,
    asking.query,
    asking.block,
    proving.history,
    proving.prove,
    proving.check,
    checking.verify,
    archiving.export,
    archiving.import_,
    snapshots.snapshot,
    evidence.evidence,
    recovering.recover,
    simulate_devices,
    credential,
):
    main.add_command(command)


@main.group()
def node() -> None:
    """One node of a network."""


@node.command("run")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The node's folder, with node.toml.",
)
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input is closed.")
def node_run(home: Path, with_parent: bool) -> None:
    """Run a node until it is told to stop (SIGTERM or Ctrl-C).

    \b
    Example:
      daicho node run --home tama/nodes/hachioji
    """
    if with_parent:
        stop_with_parent()
    daicho_node.run_node(home / CONFIG_NAME)


@main.command()
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


class Applications(Commands):
    """The applications' commands, imported when one is asked for: a node does without their dependencies."""

    def _loaded(self) -> click.Group:
        try:
            group: click.Group = importlib.import_module("apps.command").app
        except ModuleNotFoundError as error:
            remedy = "pip install 'daicho[apps]'"
            raise click.ClickException(f"the applications are not installed ({error.name}). Remedy: {remedy}") from None
        return group

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._loaded().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._loaded().get_command(ctx, cmd_name)


@main.group(cls=Applications)
def app() -> None:
    """The applications: run one, make its first administrator.

    \b
    Begin with:
      daicho app sample > supplies.toml
      daicho app add-admin --config supplies.toml --email yamada@city.example.lg.jp --municipality 132012
      daicho app run --config supplies.toml
    """


@main.command()
@click.option("--seed", type=int, required=True, help="Which run: the same seed is the same run, to the letter.")
@click.option("--trace", is_flag=True, help="Tell the whole story.")
@json_option
def simulate(seed: int, trace: bool, as_json: bool) -> None:
    """One run of the consensus simulator: a whole cluster under the faults that a seed stands for.

    \b
    Examples:
      daicho simulate --seed 42
      daicho simulate --seed 42 --trace
    """
    try:
        run = importlib.import_module("tests.simulator.run")
    except ModuleNotFoundError:
        raise click.ClickException("the simulator comes with the source: run this in a checkout of Daicho") from None
    result = run.simulate(seed, trace=trace)
    found = {"seed": seed, "plan": result.plan, "violation": result.violation, "height": result.height}
    verdict = result.violation or "all well"
    show(as_json, found, *result.story, f"seed {seed} ({result.plan}): {verdict}; height {result.height}")
    if not result.ok:
        raise click.exceptions.Exit(REFUSED)


if __name__ == "__main__":
    main()
