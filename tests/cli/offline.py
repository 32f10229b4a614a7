"""A small chain made without processes: a network of one node, and blocks sealed with its key."""

from __future__ import annotations

import json
from pathlib import Path

import contracts
from edge.config import load_config
from edge.init import CONFIG_NAME, Network, NetworkPlan, create_network
from edge.keys import read_key
from edge.municipalities import load_municipalities
from edge.writers import LIFETIME_MS, Signer
from ledger.chain import Chain
from ledger.rules import build_block
from ledger.store import LevelDb
from ledger.types import Certificate, Seal
from ledger.votes import commit_payload

GENESIS_MS = 1_780_000_000_000
NODE = "hachioji"
OPERATOR = "operator.132012"


def make_network(data: Path, nodes: int = 1) -> Network:
    return create_network(
        NetworkPlan(
            data=data,
            nodes=nodes,
            municipalities=load_municipalities()[:nodes],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=GENESIS_MS,
            base_port=31_900,
        )
    )


def home_of(network: Network) -> Path:
    return network.data / "nodes" / NODE


def add_blocks(network: Network, count: int) -> None:
    """Blocks of one transaction each: accounts of the first organisation."""
    home = home_of(network)
    runtime, node_key = contracts.runtime(), read_key(home / "node.key")
    key = read_key(network.data / "accounts" / f"{OPERATOR}.key")
    store = LevelDb(load_config(home / CONFIG_NAME).store)
    try:
        chain = Chain.open(store, network.genesis)
        for number in range(count):
            signer = Signer(chain.chain_id, {OPERATOR: key})
            args = {"account": f"clerk-{number}", "roles": ["donations.shelter"], "keys": [key.public_key]}
            transaction = signer.sign(OPERATOR, "governance", "create_account", args)
            time_ms = transaction.body.expires_at_ms - LIFETIME_MS
            executed = build_block(chain, runtime, [transaction], time_ms=time_ms, proposer=NODE)
            seal = node_key.sign(commit_payload(chain.chain_id, executed.height, 0, executed.digest))
            chain.commit(executed, Certificate(executed.height, 0, executed.digest, (Seal(NODE, seal),)))
    finally:
        store.close()


def flip(path: Path, at: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x01
    path.write_bytes(bytes(data))


def forged_genesis(network: Network, target: Path) -> Path:
    """The same genesis, but for one more second."""
    genesis = json.loads((network.data / "genesis.json").read_text(encoding="utf-8"))
    genesis["time_ms"] += 1_000
    target.write_text(json.dumps(genesis), encoding="utf-8")
    return target
