"""The genesis, and what governance is told of who comes later: `daicho genesis`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from edge import ceremony
from edge.ceremony import JoinPlan
from edge.console import existing_file, existing_folder, json_option, show
from edge.municipalities import Municipality, MunicipalityReason, load_municipalities
from edge.passphrases import chosen
from ledger.contract import Runtime
from ledger.genesis import Genesis, load_genesis
from ledger.refusal import Refused


def municipality_of(code: str, listed: Path | None) -> Municipality:
    for municipality in load_municipalities(listed):
        if municipality.code == code:
            return municipality
    raise Refused(MunicipalityReason.NOT_LISTED, code=code)


def join(
    home: Path,
    municipality: Municipality,
    *,
    node_id: str | None,
    peer: str,
    http: str,
    node_only: bool,
    passphrase_file: Path | None,
    passphrase: bool,
    as_json: bool,
) -> None:
    """`daicho init --join`: one organisation's part of the ceremony."""
    words = chosen(passphrase_file) if passphrase or passphrase_file else None
    name = node_id or municipality.node_id
    signed = ceremony.join(JoinPlan(home, municipality, name, peer, http, node_only, words))
    request = home / ceremony.REQUEST_NAME
    keys = sorted(p.name for p in home.glob("*.key"))
    show(
        as_json,
        {"home": str(home), "request": str(request), "node_id": name, "keys": keys,
         "node_key": signed.request.node.public_key.hex()},
        f"The home of {name} is {home}. Its keys never leave this organisation: {', '.join(keys)}",
        *([] if words else ["The keys have no passphrase. Remedy: daicho keys passphrase FILE"]),
        f"Send {request} to the founder: it holds public parts only.",
    )  # fmt: skip


def found(runtime: Runtime, requests: tuple[Path, ...], network: str, target: Path, *, as_json: bool) -> None:
    """`daicho init --request`: the founder's part."""
    now_ms = time.time_ns() // 1_000_000
    genesis = ceremony.found(requests, network, runtime.latest_versions(), now_ms, target)
    show(
        as_json,
        shown(genesis, target),
        *ceremony.told(genesis),
        f"Send {target} to every organisation, and read the chain id out by telephone: each accepts it by that alone.",
    )


def shown(genesis: Genesis, path: Path) -> dict[str, object]:
    return {
        "genesis": str(path),
        "network": genesis.network,
        "chain_id": genesis.chain_id.hex(),
        "nodes": [{"node_id": n.node_id, "organisation": n.organisation, "address": n.address} for n in genesis.nodes],
        "recovery": {"threshold": genesis.recovery.threshold, "keys": len(genesis.recovery.keys)},
    }


@click.group()
def genesis() -> None:
    """The genesis of a network: look at it, accept it into a home, tell governance of a node that comes later."""


@genesis.command("show")
@click.argument("file", type=existing_file)
@json_option
def genesis_show(file: Path, as_json: bool) -> None:
    """Who is in a genesis, and its chain id.

    \b
    Example:
      daicho genesis show genesis.json
    """
    read = load_genesis(file.read_bytes())
    show(as_json, shown(read, file), *ceremony.told(read))


@genesis.command("accept")
@click.argument("file", type=existing_file)
@click.option("--home", type=existing_folder, required=True, help="The home that `daicho init --join` made.")
@click.option("--chain-id", required=True, help="As the founder read it out: not from the file.")
@click.option("--later", is_flag=True, help="The node joins a network that runs: the genesis need not have it.")
@json_option
def genesis_accept(file: Path, home: Path, chain_id: str, later: bool, as_json: bool) -> None:
    """Compare a genesis with the chain id that was read out and with this home's own request, then put it there.

    \b
    Example:
      daicho genesis accept genesis.json --home /var/lib/daicho/hachioji --chain-id 5f1c...
    """
    read = ceremony.accept(home, file, chain_id, later=later)
    show(as_json, shown(read, home / ceremony.GENESIS_NAME), *ceremony.told(read), f"accepted into {home}")


@genesis.command("describe")
@click.argument("request", type=existing_file)
@click.option("--organisation", is_flag=True, help="The organisation with its operator, instead of the node.")
@json_option
def genesis_describe(request: Path, organisation: bool, as_json: bool) -> None:
    """What a request asks for, its signatures checked, as the arguments of governance.propose_node (JSON).

    With --organisation, as those of governance.propose_organisation.

    \b
    Example:
      daicho tx submit --data tama --key operator.132012.key governance propose_node \\
        "$(daicho genesis describe request.json)"
    """
    told = ceremony.described(request, organisation=organisation)
    show(as_json, told, json.dumps(told, ensure_ascii=False))
