"""From a snapshot's file to a node that votes: a state of many keys restored, and a node of four begun with it.

`python -m benchmarks.snapshot`. The state is made here (accounts), the snapshot is written, proved and restored
into a new store; measured are writing, restoring (every certificate and root checked, the tree built again) and
opening. Then four nodes run; one is wiped, begins with the snapshot of another, and the time is taken until it
votes again while writes go on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import click

import contracts
from benchmarks.chains import make_chain
from benchmarks.machine import conditions, signature_checks_per_s
from edge.client import DaichoClient
from edge.init import PORTS_PER_NODE, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.snapshot import open_url, read_payloads, restore, stream
from edge.watch import Watch, states
from ledger import layout
from ledger.chain import Chain
from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.kv import after_prefix
from ledger.snapshot import Restore, records
from ledger.store import LevelDb

HOST = "127.0.0.1"


def restore_figures(folder: Path, keys: int, seed: int) -> list[str]:
    made = make_chain(folder / "chain", keys, seed)
    rows = sum(1 for _ in made.store.scan(layout.STATE, after_prefix(layout.STATE)))
    started = time.perf_counter()
    file = folder / "snapshot"
    with file.open("wb") as out:
        for part in stream(records(made.store)):
            out.write(part)
    written_s = time.perf_counter() - started
    started = time.perf_counter()
    target = LevelDb(folder / "restored", scratch=True)
    taken = Restore(made.genesis, target)
    with file.open("rb") as source:
        for payload in read_payloads(source, "snapshot"):
            taken.take(payload)
    restored = taken.finish()
    chain = Chain.open(target, made.genesis)
    restored_s = time.perf_counter() - started
    if chain.head.state_root != made.chain.head.state_root:
        raise RuntimeError("the restored root is another")
    size = file.stat().st_size
    made.store.close()
    target.close()
    return [
        f"A state of {rows} rows as of block {restored.height} ({restored.blocks} blocks with it, {size} bytes):",
        f"  written in {written_s:.1f} s; restored, proved and opened in {restored_s:.1f} s",
    ]


async def join_seconds(folder: Path) -> float:
    """A wiped node of four: from the beginning of the restore until it votes again, with writes going on."""
    data = folder / "net"
    plan = create_network(
        NetworkPlan(
            data=data,
            nodes=4,
            municipalities=load_municipalities()[:4],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port(HOST, PORTS_PER_NODE * 4),
            network="daicho-bench",
        )
    )
    net = Localnet(data)
    try:
        net.start_all(with_parent=True)
        account = f"operator.{net.file.nodes[0].organisation}"
        key = read_key(net.data / "accounts" / f"{account}.key")
        async with Watch(net.urls) as watch, DaichoClient(net.urls[:3], plan.genesis) as client:
            await watch.until_quorum(30.0)

            async def write(number: int) -> None:
                public_key = SigningKey(number.to_bytes(32, "big")).public_key
                name, roles = f"clerk-{number}", ["donations.shelter"]
                args: dict[str, Value] = {"account": name, "roles": list(roles), "keys": [public_key]}
                await client.submit_until_committed(client.sign(key, account, "governance", "create_account", args))

            for number in range(20):
                await write(number)
            wiped = net.file.nodes[3]
            await asyncio.to_thread(net.kill, wiped.node_id)
            home = net.home(wiped.node_id)
            shutil.rmtree(home / "data")
            started = time.perf_counter()
            with open_url(net.urls[0]) as source:
                await asyncio.to_thread(restore, source, net.urls[0], home, plan.genesis)
            net.start(wiped.node_id, with_parent=True)
            for number in range(20, 2_000):
                if any(s.node_id == wiped.node_id and s.votes and s.in_sync for s in states(await watch.read())):
                    return time.perf_counter() - started
                await write(number)
                await asyncio.sleep(0.05)
        raise RuntimeError("the node did not vote again")
    finally:
        net.stop_all()


@click.command()
@click.option("--keys", default=100_000, show_default=True, help="Accounts in the state.")
@click.option("--seed", default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(keys: int, seed: int, as_json: bool) -> None:
    """Print times in seconds."""
    load, checks = os.getloadavg()[0], signature_checks_per_s()
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        lines = restore_figures(Path(folder), keys, seed)
        seconds = asyncio.run(join_seconds(Path(folder)))
        lines.append(f"A wiped node of four votes again {seconds:.1f} s after its restore began")
    lines += conditions(seed, checks, load)
    click.echo(json.dumps(lines, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))


if __name__ == "__main__":
    main()
