"""The command line: `daicho`. Thin commands; what they do lives in `edge/`.

Exit codes: 0 done; 1 refused, or a fault was found; 2 wrong usage; 3 no node answered in time or no quorum;
130 ended by Ctrl-C. Every command takes `--json`; then errors are JSON too, on standard error.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click

import contracts
import node as daicho_node
from edge.init import CONFIG_NAME, MAX_NODES, PORTS_PER_NODE, Network, NetworkPlan, advice, create_network
from edge.localnet import NETWORK_NAME, Localnet, stop_with_parent
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from ledger.refusal import Language, Refused

DEFAULT_DATA = Path("daicho-data")
DEFAULT_BASE_PORT = 27_700


def language() -> Language:
    """Refusals are told in Japanese where the terminal's language is Japanese."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "ja" if name.startswith("ja") else "en"


class Failure(click.ClickException):
    """A refusal on its way to the terminal, as a sentence or as JSON."""

    def __init__(self, refused: Refused, *, as_json: bool, exit_code: int = 1) -> None:
        super().__init__(refused.reason.text(language(), refused.params))
        self.refused = refused
        self.as_json = as_json
        self.exit_code = exit_code

    def show(self, file: Any = None) -> None:
        if not self.as_json:
            click.echo(f"Error: {self.message}", err=True)
            return
        error = {
            "code": self.refused.reason.code,
            "message": self.refused.reason.text("en", self.refused.params),
            "message_ja": self.refused.reason.text("ja", self.refused.params),
            "params": {k: v.hex() if isinstance(v, bytes) else v for k, v in self.refused.params.items()},
        }
        click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)


class Daicho(click.Group):
    """The top group: turns refusals into messages."""

    def invoke(self, ctx: click.Context) -> Any:
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except Refused as refused:
            raise Failure(refused, as_json=as_json) from None


def show(as_json: bool, value: object, *lines: str) -> None:
    """The result: `value` with --json, else the `lines` for people."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            click.echo(line)


json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    envvar="DAICHO_DATA",
    show_default=True,
    show_envvar=True,
    help="The network's folder, as made by `daicho init`.",
)
nodes_option = click.option(
    "--nodes",
    type=click.IntRange(1, MAX_NODES),
    default=4,
    show_default=True,
    help="How many nodes, one a municipality.",
)


@click.group(cls=Daicho, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="daicho")
def main() -> None:
    """Daicho (台帳): a permissioned ledger for local government.

    \b
    Begin with:
      daicho demo                    four nodes, a week of relief supplies, a status page
      daicho init --nodes 4 --data DIR
      daicho localnet up --data DIR
    """


# -- networks ----------------------------------------------------------------------------------------------------------


def _make(data: Path, nodes: int, network: str, municipalities: Path | None, host: str, base_port: int) -> Network:
    return create_network(
        NetworkPlan(
            data=data,
            nodes=nodes,
            municipalities=load_municipalities(municipalities)[:nodes],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=base_port,
            network=network,
            host=host,
        )
    )


@main.command()
@nodes_option
@data_option
@click.option("--network", default="daicho", show_default=True, help="The network's name.")
@click.option(
    "--municipalities",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with the columns code,name_ja,name_en; without it, Tama and the islands.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address that the nodes listen on.")
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    default=DEFAULT_BASE_PORT,
    show_default=True,
    help="The first of two ports a node.",
)
@json_option
def init(
    nodes: int, data: Path, network: str, municipalities: Path | None, host: str, base_port: int, as_json: bool
) -> None:
    """Make a new network: genesis, keys, configurations.

    \b
    Examples:
      daicho init --nodes 4 --data tama
      daicho init --nodes 3 --data islands --municipalities islands.csv --base-port 30000
    """
    made = _make(data, nodes, network, municipalities, host, base_port)
    show(
        as_json,
        {
            "data": str(data),
            "network": network,
            "chain_id": made.genesis.chain_id.hex(),
            "nodes": [
                {"node_id": n.node_id, "organisation": n.organisation, "http_url": n.http_url} for n in made.file.nodes
            ],
            "warnings": advice(nodes),
        },
        f"The network {network} is in {data}. Chain id: {made.genesis.chain_id.hex()}",
        *(f"  {n.node_id:<14} {n.organisation}  peers {n.peer_address}  {n.http_url}" for n in made.file.nodes),
        *advice(nodes),
        f"Move the keys in {data / 'recovery'} offline now, each into the safe of its municipality.",
        f"Next: daicho localnet up --data {data}   (or carry each folder of {data / 'nodes'} to its machine)",
    )


# -- nodes -------------------------------------------------------------------------------------------------------------


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


@main.group()
def localnet() -> None:
    """The nodes of a network as processes on this machine."""


@localnet.command("up")
@data_option
@nodes_option
@json_option
def localnet_up(data: Path, nodes: int, as_json: bool) -> None:
    """Start all nodes that do not run; make the network first if there is none.

    \b
    Example:
      daicho localnet up --data tama
    """
    if not (data / NETWORK_NAME).exists():
        _make(data, nodes, "daicho", None, "127.0.0.1", free_base_port("127.0.0.1", PORTS_PER_NODE * nodes))
    net = Localnet(data)
    net.start_all()
    net.wait_live()
    _show_running(net, as_json)


@localnet.command("down")
@data_option
@json_option
def localnet_down(data: Path, as_json: bool) -> None:
    """Stop all nodes in order.

    \b
    Example:
      daicho localnet down --data tama
    """
    stopped = Localnet(data).stop_all()
    show(as_json, {"stopped": stopped}, f"stopped: {', '.join(stopped) or 'none was running'}")


@localnet.command("kill")
@data_option
@click.argument("node_id")
@json_option
def localnet_kill(data: Path, node_id: str, as_json: bool) -> None:
    """Kill a node with -9, as a power cut would.

    \b
    Example:
      daicho localnet kill --data tama hachioji
    """
    pid = Localnet(data).kill(node_id)
    show(as_json, {"killed": node_id, "pid": pid}, f"killed {node_id} (process {pid})")


@localnet.command("restart")
@data_option
@click.argument("node_id")
@json_option
def localnet_restart(data: Path, node_id: str, as_json: bool) -> None:
    """Stop a node if it runs, and start it.

    \b
    Example:
      daicho localnet restart --data tama hachioji
    """
    net = Localnet(data)
    net.stop(node_id)
    pid = net.start(node_id)
    net.wait_live([node_id])
    show(as_json, {"started": node_id, "pid": pid}, f"started {node_id} (process {pid})")


def _show_running(net: Localnet, as_json: bool) -> None:
    running = net.running()
    show(
        as_json,
        {"nodes": [{"node_id": r.place.node_id, "pid": r.pid, "http_url": r.place.http_url} for r in running]},
        *(
            f"  {r.place.node_id:<14} {f'process {r.pid}' if r.pid else 'not running':<16} {r.place.http_url}"
            for r in running
        ),
    )


if __name__ == "__main__":
    main()
