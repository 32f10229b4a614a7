"""`daicho init`: everything that a new network needs before its first block, in one folder.

    genesis.json          what everybody agrees on; its hash is the chain's id
    network.json          which nodes there are and where (for `daicho localnet` and as default of --url)
    nodes/<id>/           a node's home: configuration, keys (0600), empty votes journal; goes to its organisation
    accounts/<id>.key     keys of the first accounts (0600)
    recovery/<code>.key   one recovery key an organisation (0600): to be moved offline, into its safe

The folder is made beside its final place and moved there whole: an interrupted init leaves no half network.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge.config import LoadedConfig, NodeConfig
from edge.journal import FileJournal
from edge.keys import create_key, write_key
from edge.localnet import NETWORK_NAME, NetworkFile, NodePlace
from edge.municipalities import Municipality, MunicipalityReason
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, check_genesis, dump_genesis
from ledger.refusal import Reason, Refused, Text
from ledger.registry import (
    DEFAULT_PARAMETERS,
    OPERATOR,
    Account,
    ContractVersion,
    Node,
    Organisation,
    Parameters,
    RecoveryKeys,
    Role,
)

MAX_NODES = 10
CONFIG_NAME = "node.toml"
PORTS_PER_NODE = 2


class InitReason(Reason):
    NOT_EMPTY = Text(
        "{path} は空ではありません。別のフォルダーを指定してください",
        "{path} is not empty: name another folder with --data, or remove it",
    )
    TOO_MANY_NODES = Text("ノードは 1 から {limit} 台です", "a network starts with 1 to {limit} nodes")
    NODE_TWICE = Text("ノード名 {node} が重複しています", "two municipalities would both have a node {node}")


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """An account that the genesis creates; its key goes to `accounts/<account>.key`."""

    account: str
    organisation: str
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What is to be made. The first `nodes` of the `municipalities` run one node each; all are organisations."""

    data: Path
    nodes: int
    municipalities: Sequence[Municipality]
    contract_versions: Mapping[str, int]
    time_ms: int
    base_port: int
    network: str = "daicho"
    host: str = "127.0.0.1"
    accounts: Sequence[AccountPlan] = field(default_factory=tuple)
    parameters: Parameters = DEFAULT_PARAMETERS

    def peer_port(self, index: int) -> int:
        return self.base_port + PORTS_PER_NODE * index

    def http_port(self, index: int) -> int:
        return self.base_port + PORTS_PER_NODE * index + 1


@dataclass(frozen=True, slots=True)
class Network:
    """What was made."""

    data: Path
    genesis: Genesis
    file: NetworkFile


def create_network(plan: NetworkPlan) -> Network:
    """Make the folder `plan.data`. `Refused(InitReason | MunicipalityReason | GenesisReason)` leaves nothing behind."""
    _check(plan)
    parent = plan.data.resolve().parent
    parent.mkdir(parents=True, exist_ok=True)
    building = parent / f".{plan.data.name}.building"
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(mode=0o700)
    try:
        network = _create(plan, building)
        if plan.data.exists():
            plan.data.rmdir()
        building.rename(plan.data)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return network


def advice(nodes: int) -> list[str]:
    """What whoever makes a network of so many nodes should know."""
    if nodes >= 4:
        return []
    survives = {
        1: "1 node survives no loss",
        2: "2 nodes survive no loss",
        3: "3 nodes survive the loss of one, but not a lying one",
    }
    return [f"Warning: {survives[nodes]}; four is the least for production."]


def _check(plan: NetworkPlan) -> None:
    if not 1 <= plan.nodes <= MAX_NODES:
        raise Refused(InitReason.TOO_MANY_NODES, limit=MAX_NODES)
    if len(plan.municipalities) < plan.nodes:
        raise Refused(MunicipalityReason.TOO_FEW, count=len(plan.municipalities), needed=plan.nodes)
    seen: set[str] = set()
    for municipality in plan.municipalities[: plan.nodes]:
        if municipality.node_id in seen:
            raise Refused(InitReason.NODE_TWICE, node=municipality.node_id)
        seen.add(municipality.node_id)
    if plan.data.exists() and (not plan.data.is_dir() or any(plan.data.iterdir())):
        raise Refused(InitReason.NOT_EMPTY, path=str(plan.data))


def _create(plan: NetworkPlan, folder: Path) -> Network:
    places: list[NodePlace] = []
    nodes: list[Node] = []
    seeds: dict[str, bytes] = {}
    (folder / "accounts").mkdir(mode=0o700)
    (folder / "recovery").mkdir(mode=0o700)
    for index, municipality in enumerate(plan.municipalities[: plan.nodes]):
        seed = os.urandom(32)
        seeds[municipality.node_id] = seed
        address = f"{plan.host}:{plan.peer_port(index)}"
        nodes.append(Node(municipality.node_id, municipality.code, SigningKey(seed).public_key, address, "validator"))
        places.append(
            NodePlace(
                node_id=municipality.node_id,
                organisation=municipality.code,
                home=f"nodes/{municipality.node_id}",
                peer_address=address,
                http_url=f"http://{plan.host}:{plan.http_port(index)}",
            )
        )
    genesis = Genesis(
        network=plan.network,
        time_ms=plan.time_ms,
        organisations=tuple(Organisation(m.code, m.name_ja, m.name_en) for m in plan.municipalities),
        accounts=tuple(_accounts(plan, folder)),
        nodes=tuple(nodes),
        parameters=plan.parameters,
        contracts=tuple(ContractVersion(name, version, 0) for name, version in sorted(plan.contract_versions.items())),
        recovery=_recovery_keys(plan, folder),
    )
    check_genesis(genesis)
    text = dump_genesis(genesis)
    (folder / "genesis.json").write_text(text, encoding="utf-8")
    for place in places:
        _write_home(folder / place.home, place, seeds[place.node_id], text)
    file = NetworkFile(plan.network, tuple(places))
    (folder / NETWORK_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")
    return Network(plan.data, genesis, file)


def _accounts(plan: NetworkPlan, folder: Path) -> list[Account]:
    """An operator for each organisation, who signs for it in governance, and the accounts that the plan names."""
    operators = [AccountPlan(f"operator.{m.code}", m.code, (OPERATOR,)) for m in plan.municipalities]
    return [
        Account(
            planned.account,
            planned.organisation,
            tuple(sorted(planned.roles)),
            (create_key(folder / "accounts" / f"{planned.account}.key").public_key,),
            False,
        )
        for planned in (*operators, *plan.accounts)
    ]


def _recovery_keys(plan: NetworkPlan, folder: Path) -> RecoveryKeys:
    """One key an organisation; more than half of them can name a new validator set once the quorum is lost for good."""
    keys = tuple(create_key(folder / "recovery" / f"{m.code}.key").public_key for m in plan.municipalities)
    return RecoveryKeys(len(keys) // 2 + 1, keys)


def _write_home(home: Path, place: NodePlace, seed: bytes, genesis: str) -> None:
    """What one node needs: it can be carried to another machine as it is."""
    home.mkdir(parents=True, mode=0o700)
    host, _, port = place.http_url.removeprefix("http://").rpartition(":")
    values = NodeConfig(node_id=place.node_id, peer_listen=place.peer_address, http_listen=f"{host}:{port}")
    (home / CONFIG_NAME).write_text(config_text(values), encoding="utf-8")
    (home / values.genesis).write_text(genesis, encoding="utf-8")
    write_key(home / values.node_key, seed)
    config = LoadedConfig(values, home)
    config.data_dir.mkdir(mode=0o700)
    FileJournal.create(config.journal)


def config_text(values: NodeConfig) -> str:
    """`node.toml` with what this node has of its own; every other key keeps its default (docs/operator-guide.md)."""
    return (
        f"# The node {values.node_id}. All keys: docs/operator-guide.md.\n"
        f'node_id = "{values.node_id}"\n'
        f'peer_listen = "{values.peer_listen}"\n'
        f'http_listen = "{values.http_listen}"\n'
    )
