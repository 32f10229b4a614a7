"""Networks on this machine: `daicho init` and `daicho localnet`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from edge.command_line import ceremony
from edge.console import (
    data_option,
    existing_file,
    json_option,
    nodes_option,
    show,
    with_runtime,
)
from edge.init import PORTS_PER_NODE, Network, NetworkPlan, advice, create_network
from edge.localnet import NETWORK_NAME, Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from ledger.contract import Runtime

DEFAULT_BASE_PORT = 27_700


def _make(
    runtime: Runtime, data: Path, nodes: int, network: str, municipalities: Path | None, host: str, base_port: int
) -> Network:
    return create_network(
        NetworkPlan(
            data=data,
            nodes=nodes,
            municipalities=load_municipalities(municipalities)[:nodes],
            contract_versions=runtime.latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=base_port,
            network=network,
            host=host,
        )
    )


@click.command()
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
@click.option(
    "--join",
    "home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Make one organisation's home instead, with its own keys, and a request that holds public parts only.",
)
@click.option("--municipality", help="With --join: the organisation's code (全国地方公共団体コード).")
@click.option("--node-id", help="With --join: the node's name; else the municipality's.")
@click.option("--peer", metavar="HOST:PORT", help="With --join: where the other nodes reach this one.")
@click.option("--http", metavar="HOST:PORT", help="With --join: where its API listens.")
@click.option("--node-only", is_flag=True, help="With --join: one more node of an organisation that is there.")
@click.option("--passphrase", is_flag=True, help="With --join: ask for a passphrase of the keys.")
@click.option("--passphrase-file", type=existing_file, help="With --join: a file with that passphrase.")
@click.option(
    "--request", "requests", type=existing_file, multiple=True, help="Make the genesis of these requests instead."
)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("genesis.json"),
    show_default=True,
    help="With --request: the file.",
)
@json_option
@with_runtime
def init(
    runtime: Runtime,
    nodes: int,
    data: Path,
    network: str,
    municipalities: Path | None,
    host: str,
    base_port: int,
    home: Path | None,
    municipality: str | None,
    node_id: str | None,
    peer: str | None,
    http: str | None,
    node_only: bool,
    passphrase: bool,
    passphrase_file: Path | None,
    requests: tuple[Path, ...],
    target: Path,
    as_json: bool,
) -> None:
    """Make a new network: genesis, keys, configurations. All at once for a trial; for real, in a ceremony where each
    organisation makes its own keys (--join) and one collects their requests (--request).

    \b
    Examples:
      daicho init --nodes 4 --data tama
      daicho init --nodes 3 --data islands --municipalities islands.csv --base-port 30000
      daicho init --join hachioji --municipality 132012 --peer 10.0.1.5:27700 --http 127.0.0.1:27701
      daicho init --request hachioji.json --request tachikawa.json --network tama --to genesis.json
    """
    if home is not None:
        if municipality is None or peer is None or http is None:
            raise click.UsageError("--join needs --municipality, --peer and --http")
        ceremony.join(
            home,
            ceremony.municipality_of(municipality, municipalities),
            node_id=node_id,
            peer=peer,
            http=http,
            node_only=node_only,
            passphrase_file=passphrase_file,
            passphrase=passphrase,
            as_json=as_json,
        )
        return
    if requests:
        ceremony.found(runtime, requests, network, target, as_json=as_json)
        return
    made = _make(runtime, data, nodes, network, municipalities, host, base_port)
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


@click.group()
def localnet() -> None:
    """The nodes of a network as processes on this machine."""


@localnet.command("up")
@data_option
@nodes_option
@json_option
@with_runtime
def localnet_up(runtime: Runtime, data: Path, nodes: int, as_json: bool) -> None:
    """Start all nodes that do not run; make the network first if there is none.

    \b
    Example:
      daicho localnet up --data tama
    """
    if not (data / NETWORK_NAME).exists():
        _make(runtime, data, nodes, "daicho", None, "127.0.0.1", free_base_port("127.0.0.1", PORTS_PER_NODE * nodes))
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


@localnet.command("status")
@data_option
@json_option
def localnet_status(data: Path, as_json: bool) -> None:
    """Which nodes run as processes here. (`daicho status` asks the nodes themselves.)

    \b
    Example:
      daicho localnet status --data tama
    """
    _show_running(Localnet(data), as_json)


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
