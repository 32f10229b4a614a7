"""The command line: `daicho`. The commands of `edge/command_line/` put together with the contracts and the node.

Exit codes: 0 done; 1 refused, or a fault was found; 2 wrong usage, or it could not be checked; 3 no node answered in
time or no quorum; 130 ended by Ctrl-C. Every command takes `--json`; then errors are JSON too, on standard error.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from edge.console import REFUSED, Commands, Loaded, json_option, show
from edge.init import CONFIG_NAME
from edge.localnet import stop_with_parent
from ledger.contract import Runtime

COMMANDS = {
    "demo": "apps.demo_command:demo",
    "init": "edge.command_line.networks:init",
    "genesis": "edge.command_line.ceremony:genesis",
    "config": "edge.command_line.homes:config",
    "keys": "edge.command_line.homes:keys",
    "localnet": "edge.command_line.networks:localnet",
    "status": "edge.command_line.asking:status",
    "tx": "edge.command_line.asking:tx",
    "query": "edge.command_line.asking:query",
    "block": "edge.command_line.asking:block",
    "history": "edge.command_line.proving:history",
    "prove": "edge.command_line.proving:prove",
    "check-proof": "edge.command_line.proving:check",
    "verify": "edge.command_line.checking:verify",
    "export": "edge.command_line.archiving:export",
    "import": "edge.command_line.archiving:import_",
    "snapshot": "edge.command_line.snapshots:snapshot",
    "evidence": "edge.command_line.evidence:evidence",
    "recover": "edge.command_line.recovering:recover",
    "simulate-devices": "apps.ecopoints.devices.command:simulate_devices",
    "bench": "benchmarks.command:bench",
    "completion": "edge.command_line.completing:completion",
    "credential": "apps.volunteers.credentials.command:credential",
}
"""What is written elsewhere: a command is imported when it is asked for, so that each starts quickly."""


def contracts_of_this_build() -> Runtime:
    runtime: Runtime = importlib.import_module("contracts").runtime()
    return runtime


@click.group(
    cls=Loaded,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
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
    context.obj = contracts_of_this_build


@main.group(cls=Loaded, places={"statement": "edge.command_line.homes:node_statement"})
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
    importlib.import_module("node").run_node(home / CONFIG_NAME)


class Applications(Commands):
    """The applications' commands, imported when one is asked for: a node does without their dependencies."""

    def __init__(self, *given: Any, place: str = "", **options: Any) -> None:
        super().__init__(*given, **options)
        self._place = place
        """`module:attribute` of the group that has them."""

    def _loaded(self) -> click.Group:
        module, _, attribute = self._place.partition(":")
        try:
            group: click.Group = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            remedy = "pip install 'daicho[apps]'"
            raise click.ClickException(f"the applications are not installed ({error.name}). Remedy: {remedy}") from None
        return group

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._loaded().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._loaded().get_command(ctx, cmd_name)


@main.group(cls=Applications, place="apps.ecopoints.command:ecopoints")
def ecopoints() -> None:
    """Eco-points and J-Credits: export a period for the committee, check such an export, or one reading.

    \b
    Begin with:
      daicho ecopoints export --config ecopoints.toml --period PERIOD -o period.zip
      daicho ecopoints check-export period.zip --genesis genesis.json
    """


@main.group(cls=Applications, place="apps.command:app")
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
