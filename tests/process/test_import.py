"""A site is lost with its disk; a new home is filled from an archive, follows, and votes again once it may."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import contracts
from cli import main
from edge.client import DaichoClient
from edge.config import load_config
from edge.init import CONFIG_NAME, PORTS_PER_NODE, NetworkPlan, create_network
from edge.keys import read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import NodeState, Watch
from ledger.crypto import SigningKey

pytestmark = pytest.mark.process
WITHIN_S = 60.0


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def is_at(height: int, state: NodeState) -> bool:
    return state.height >= height


async def until(watch: Watch, node_id: str, what: str, is_so: Callable[[NodeState], bool]) -> NodeState:
    deadline = time.monotonic() + WITHIN_S
    while True:
        states = {r.state.node_id: r.state for r in await watch.read() if r.state is not None}
        state = states.get(node_id)
        if state is not None and is_so(state):
            return state
        assert time.monotonic() < deadline, f"{node_id} is not {what}: {state}"
        await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
async def test_a_lost_site_comes_back_from_an_archive_observes_and_votes_again(tmp_path: Path) -> None:
    made = create_network(
        NetworkPlan(
            data=tmp_path / "net",
            nodes=4,
            municipalities=load_municipalities()[:4],
            contract_versions=contracts.runtime().latest_versions(),
            time_ms=time.time_ns() // 1_000_000,
            base_port=free_base_port("127.0.0.1", PORTS_PER_NODE * 4),
            network="import",
        )
    )
    net, genesis = Localnet(made.data), made.data / "genesis.json"
    account = f"operator.{net.file.nodes[0].organisation}"
    key = read_key(made.data / "accounts" / f"{account}.key")
    lost = net.file.nodes[3].node_id
    data = load_config(net.home(lost) / CONFIG_NAME).data_dir

    async with DaichoClient(net.urls, made.genesis) as client, Watch(net.urls) as watch:

        async def write(count: int, name: str) -> None:
            for number in range(count):
                keys = [SigningKey(f"{name}-{number}".encode().ljust(32)).public_key]
                args = {"account": f"{name}-{number}", "roles": ["donations.officer"], "keys": keys}
                transaction = client.sign(key, account, "governance", "create_account", args)
                await client.submit_until_committed(transaction)

        try:
            net.start_all(with_parent=True)
            await watch.until_quorum(30.0)
            await write(6, "before")
            await until(watch, lost, "level", lambda s: s.height >= 6)
            net.kill(lost)
            shutil.rmtree(data)
            archive = tmp_path / "chain.daicho"
            exported = run("export", "--url", net.urls[0], "--to", archive, "--json")
            assert exported.exit_code == 0, exported.stderr
            await write(3, "meanwhile")
            imported = run("import", archive, "--home", net.home(lost), "--genesis", genesis, "--json")
            assert imported.exit_code == 0, imported.output + imported.stderr
            assert json.loads(imported.stdout)["height"] == json.loads(exported.stdout)["blocks"] - 1
            net.start(lost, with_parent=True)
            state = await until(watch, lost, "back", lambda s: s.in_sync and s.height >= 9)
            # It may have voted up to two heights above what the others showed when it came back.
            assert not state.votes and state.observe_through_height > 0
            more = 0
            async with asyncio.timeout(60):
                while not state.votes:
                    await write(1, f"after-{more}")
                    more += 1
                    state = await until(watch, lost, "level", partial(is_at, 9 + more))
                    # It waits to hear where all the others stand, however fast blocks come meanwhile.
                    await asyncio.sleep(0.1)
            assert state.height >= state.observe_through_height
            # Without another node there is no quorum but with its vote.
            net.kill(net.file.nodes[2].node_id)
            await write(2, "with-its-vote")
        finally:
            net.stop_all()
    found = run("verify", "--genesis", genesis, "--home", net.home(lost), "--json")
    assert found.exit_code == 0, found.output + found.stderr
    assert json.loads(found.stdout)["transactions"] == 6 + 3 + more + 2
