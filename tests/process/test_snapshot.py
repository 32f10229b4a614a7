"""A node that begins with a snapshot, on real processes: wiped, restored from a running peer, it joins and votes."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from edge.localnet import Localnet
from edge.ports import free_base_port
from edge.watch import Watch, states
from ledger import layout
from ledger.store import LevelDb

pytestmark = pytest.mark.process
KEY = "cd" * 32


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def write(data: Path, name: str) -> None:
    call = json.dumps({"account": name, "roles": ["donations.officer"], "keys": [KEY]})
    key = data / "accounts" / "operator.132012.key"
    done = run("tx", "submit", "--data", data, "--key", key, "governance", "create_account", call)
    assert done.exit_code == 0, done.output


@pytest.fixture
def net(tmp_path: Path) -> Localnet:
    base_port = str(free_base_port("127.0.0.1", 8))
    made = run("init", "--nodes", "4", "--data", tmp_path / "net", "--base-port", base_port)
    assert made.exit_code == 0, made.output
    return Localnet(tmp_path / "net")


def until_it_votes(net: Localnet, node_id: str) -> None:
    """With writes going on: it votes once it is past all that it may have signed before it was wiped (rule 8)."""

    async def votes() -> bool:
        async with Watch(net.urls) as watch:
            return any(s.node_id == node_id and s.votes and s.in_sync for s in states(await watch.read()))

    for number in range(60):
        if asyncio.run(votes()):
            return
        write(net.data, f"while-{number}")
    raise AssertionError("it did not vote again")


def test_a_wiped_node_begins_with_a_peers_snapshot_and_votes_again(net: Localnet, tmp_path: Path) -> None:
    data, genesis = net.data, net.genesis_path
    try:
        net.start_all(with_parent=True)
        net.wait_live()
        for number in range(3):
            write(data, f"before-{number}")
        wiped = net.file.nodes[3]
        net.kill(wiped.node_id)
        home = net.home(wiped.node_id)
        shutil.rmtree(home / "data")
        write(data, "meanwhile")
        file = tmp_path / "tama.snapshot"
        created = run("snapshot", "create", "--url", net.urls[0], "-o", file, "--json")
        assert created.exit_code == 0, created.output
        changed = bytearray(file.read_bytes())
        changed[len(changed) // 2] ^= 1
        (tmp_path / "bad").write_bytes(changed)
        bad = run("snapshot", "restore", tmp_path / "bad", "--home", home, "--genesis", genesis)
        assert bad.exit_code == 1 and "damaged at record" in bad.stderr
        assert not (home / "data" / "ledger").exists()
        restored = run("snapshot", "restore", file, "--home", home, "--genesis", genesis, "--json")
        assert restored.exit_code == 0, restored.output + restored.stderr
        assert json.loads(restored.stdout)["rows"] > 10
        again = run("snapshot", "restore", file, "--home", home, "--genesis", genesis)
        assert again.exit_code == 1 and "there is a ledger" in again.stderr
        net.start(wiped.node_id, with_parent=True)
        until_it_votes(net, wiped.node_id)
        # Without one of the others it is needed, and it is there.
        net.kill(net.file.nodes[1].node_id)
        write(data, "with-its-vote")
        asked = run("query", "--url", wiped.http_url, "--genesis", genesis, "governance", "account", "account=before-1")
        assert asked.exit_code == 0 and KEY in asked.output, "it knows what was before the snapshot"
    finally:
        net.stop_all()
    checked = run("verify", "--home", home, "--genesis", genesis)
    assert checked.exit_code in (0, 2), checked.output


async def test_a_node_says_what_it_does_not_have(net: Localnet, tmp_path: Path) -> None:
    """As if it had begun with a snapshot at block 3: what lies before is asked of others."""
    try:
        net.start_all(with_parent=True)
        await asyncio.to_thread(net.wait_live)
        for number in range(4):
            await asyncio.to_thread(write, net.data, f"n-{number}")
        node = net.file.nodes[2]
        await asyncio.to_thread(net.stop_all)
        store = LevelDb(net.home(node.node_id) / "data" / "ledger", create=False)
        gone = {layout.of_height(kind, h): None for h in (1, 2) for kind in (layout.BLOCK, layout.RECEIPTS)}
        store.write({**gone, layout.FIRST: (3).to_bytes(8, "big")})
        store.close()
        net.start(node.node_id, with_parent=True)
        await asyncio.to_thread(net.wait_live, [node.node_id])
        for path in ("/v1/blocks/1", "/v1/archive?from=1&limit=5", "/v1/headers?from=1&limit=5"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, node.http_url + path)
            assert refused.value.code == 503 and b"before_first" in refused.value.read()
    finally:
        await asyncio.to_thread(net.stop_all)
    checked = await asyncio.to_thread(run, "verify", "--home", net.home(node.node_id), "--genesis", net.genesis_path)
    assert checked.exit_code == 2 and "began with a snapshot" in checked.stderr
