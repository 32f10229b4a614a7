"""From a snapshot's file to a node that votes: a state of many keys restored, and a node of four begun with it.

The state is made here (accounts), the snapshot is written, proved and restored
into a new store; measured are writing, restoring (every certificate and root checked, the tree built again) and
opening. Then four nodes run; one is wiped, begins with the snapshot of another, and the time is taken until it
votes again while writes go on.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import click

from benchmarks.chains import make_chain
from benchmarks.machine import conditions
from benchmarks.network import running_network
from benchmarks.results import Plain, Result, finish, seed_and_output
from edge.client import DaichoClient
from edge.snapshot import open_url, read_payloads, restore, stream
from edge.watch import Watch, states
from ledger import layout
from ledger.chain import Chain
from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.kv import after_prefix
from ledger.snapshot import Restore, records
from ledger.store import LevelDb


def restore_figures(folder: Path, keys: int, seed: int) -> dict[str, Plain]:
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
    return {
        "rows": rows, "height": restored.height, "blocks": restored.blocks, "bytes": size,
        "written_s": round(written_s, 2), "restored_s": round(restored_s, 2),
    }  # fmt: skip


async def join_seconds(folder: Path) -> float:
    """A wiped node of four: from the beginning of the restore until it votes again, with writes going on."""
    async with running_network(folder / "net", 4) as network:
        net, account, key = network.net, network.operator, network.key(network.operator)
        async with Watch(net.urls) as watch, DaichoClient(net.urls[:3], network.genesis) as client:

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
                await asyncio.to_thread(restore, source, net.urls[0], home, network.genesis)
            net.start(wiped.node_id, with_parent=True)
            for number in range(20, 2_000):
                if any(s.node_id == wiped.node_id and s.votes and s.in_sync for s in states(await watch.read())):
                    return time.perf_counter() - started
                await write(number)
                await asyncio.sleep(0.05)
    raise RuntimeError("the node did not vote again")


@click.command("snapshot")
@click.option("--keys", default=100_000, show_default=True, help="Accounts in the state.")
@seed_and_output
def snapshot(keys: int, seed: int, results: Path, as_json: bool) -> None:
    """A snapshot written and restored, and a wiped node that begins with one while writes go on.

    \b
    Example:
      daicho bench snapshot --keys 10000
    """
    before = conditions(seed)
    with tempfile.TemporaryDirectory(prefix="daicho-bench-") as folder:
        figures = restore_figures(Path(folder), keys, seed)
        figures["votes_again_s"] = round(asyncio.run(join_seconds(Path(folder))), 1)
    lines = [
        f"A state of {figures['rows']} rows as of block {figures['height']} ({figures['bytes']} bytes):",
        f"  written in {figures['written_s']} s; restored, proved and opened in {figures['restored_s']} s",
        f"A wiped node of four votes again {figures['votes_again_s']} s after its restore began",
    ]
    finish(Result("snapshot", before, {"keys": keys}, figures), lines, results, as_json=as_json)
