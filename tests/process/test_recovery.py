"""The worst day, on real processes: three sites, two destroyed; the third goes on, and then grows to four."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

import contracts
from cli import main
from edge.client import DaichoClient
from edge.config import load_config
from edge.init import CONFIG_NAME, PORTS_PER_NODE, NetworkPlan, create_network
from edge.journal import FileJournal
from edge.keys import create_key, read_key
from edge.localnet import Localnet
from edge.municipalities import load_municipalities
from edge.ports import free_base_port
from edge.watch import Watch
from ledger.crypto import SigningKey
from ledger.encoding import Value
from ledger.genesis import load_genesis
from ledger.votes import in_sync_payload
from tests.independent import verify as reader

pytestmark = pytest.mark.process


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def refusal(result: Result) -> str:
    assert result.exit_code == 1, result.output + result.stderr
    return str(json.loads(result.stderr)["error"]["code"])


class Drill:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "net"
        self.base_port = free_base_port("127.0.0.1", PORTS_PER_NODE * 6)
        create_network(
            NetworkPlan(
                data=self.data,
                nodes=3,
                municipalities=load_municipalities()[:3],
                contract_versions=contracts.runtime().latest_versions(),
                time_ms=time.time_ns() // 1_000_000,
                base_port=self.base_port,
                network="drill",
            )
        )
        self.net = Localnet(self.data)
        self.genesis = load_genesis((self.data / "genesis.json").read_bytes())
        self.organisations = [p.organisation for p in self.net.file.nodes]
        self.names = [p.node_id for p in self.net.file.nodes]
        self.survivor = self.names[2]

    @property
    def home(self) -> Path:
        return self.net.home(self.survivor)

    def key_of(self, organisation: str) -> Path:
        return self.data / "accounts" / f"operator.{organisation}.key"

    def prepare(self, target: Path, home: Path, reason: str = "sites_destroyed") -> Result:
        organisation = self.organisations[2]
        who = ("--account", f"operator.{organisation}", "--key", self.key_of(organisation))
        what = ("--validator", self.survivor, "--reason", reason, "--to", target, "--json")
        return run("recover", "prepare", "--home", home, *who, *what)

    def sign(self, file: Path, organisation: str, target: Path) -> Path:
        key = self.data / "recovery" / f"{organisation}.key"
        done = run("recover", "sign", file, "--genesis", self.data / "genesis.json", "--key", key, "--to", target)
        assert done.exit_code == 0, done.stderr
        return target

    def apply(self, file: Path, home: Path, *signatures: Path) -> Result:
        given = [word for s in signatures for word in ("--signature", str(s))]
        return run("recover", "apply", file, *given, "--home", home, "--json")

    async def write(self, client: DaichoClient, by: str, method: str, /, **args: Value) -> dict[str, object]:
        account = f"operator.{by}"
        transaction = client.sign(read_key(self.key_of(by)), account, "governance", method, args)
        committed = await client.submit_until_committed(transaction)
        assert not committed.reason, committed.reason
        return dict(committed.result)

    async def agree(self, client: DaichoClient, method: str, /, **args: Value) -> None:
        """Two of three organisations."""
        made = await self.write(client, self.organisations[2], method, **args)
        await self.write(client, self.organisations[0], "approve", proposal=str(made["proposal"]))

    def new_home(self, number: int) -> tuple[Path, str]:
        """A new site's home, as its municipality would set it up; and its peer address."""
        home = self.data / "nodes" / f"new-{number}"
        home.mkdir()
        shutil.copy(self.data / "genesis.json", home / "genesis.json")
        create_key(home / "node.key")
        port = self.base_port + PORTS_PER_NODE * (2 + number)
        (home / CONFIG_NAME).write_text(
            f'node_id = "new-{number}"\npeer_listen = "127.0.0.1:{port}"\nhttp_listen = "127.0.0.1:{port + 1}"\n'
        )
        config = load_config(home / CONFIG_NAME)
        config.data_dir.mkdir()
        FileJournal.create(config.journal)
        return home, f"127.0.0.1:{port}"


@pytest.mark.timeout(300)
async def test_two_of_three_sites_are_destroyed_and_the_third_goes_on_and_grows_to_four(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    net = drill.net
    new: list[asyncio.subprocess.Process] = []
    try:
        net.start_all(with_parent=True)
        async with Watch(net.urls) as watch:
            await watch.until_quorum(30.0)
        async with DaichoClient(net.urls, drill.genesis) as client:
            for number in range(5):
                key = (100 + number).to_bytes(32, "big")
                await drill.write(client, drill.organisations[0], "create_account", account=f"before-{number}",
                                  roles=[], keys=[_public(key)])  # fmt: skip
        # Everything that was acknowledged has reached the third site; then two sites are gone, with their disks.
        async with Watch(net.urls) as watch:
            await watch.until_equal(10.0)
        for name in drill.names:
            net.kill(name)
        for name in drill.names[:2]:
            shutil.rmtree(net.home(name) / "data")

        untouched = tmp_path / "untouched"
        shutil.copytree(drill.home, untouched)
        file, other = tmp_path / "recovery.json", tmp_path / "other.json"
        assert drill.prepare(file, drill.home).exit_code == 0
        first = drill.sign(file, drill.organisations[0], tmp_path / "s0.json")
        third = drill.sign(file, drill.organisations[2], tmp_path / "s2.json")
        assert refusal(drill.apply(file, drill.home, first)) == "below_threshold"
        assert refusal(drill.apply(file, drill.home, first, first)) == "key_twice"
        changed = tmp_path / "changed.json"
        changed.write_text(file.read_text().replace(b"sites_destroyed".hex(), b"sites_destroyer".hex()))
        assert refusal(drill.apply(changed, drill.home, first, third)) in (
            "wrong_transactions_root",
            "not_a_recovery_file",
        )
        assert drill.apply(file, drill.home, first, third).exit_code == 0

        # A second, different recovery is refused by whoever has seen the first.
        assert drill.prepare(other, untouched, "keys_lost").exit_code == 0
        again = [drill.sign(other, o, tmp_path / f"o{o}.json") for o in drill.organisations[:2]]
        assert refusal(drill.apply(other, drill.home, *again)) == "other_block"

        verified = run("verify", "--home", drill.home, "--genesis", drill.data / "genesis.json", "--json")
        assert verified.exit_code == 0, verified.output
        assert json.loads(verified.output)["recoveries"] == 1

        net.start(drill.survivor, with_parent=True)
        url = net.place(drill.survivor).http_url
        async with DaichoClient([url], drill.genesis) as client:
            await drill.write(client, drill.organisations[2], "create_account", account="after", roles=[],
                              keys=[_public(b"a" * 32)])  # fmt: skip
            for number in (1, 2, 3):
                home, address = drill.new_home(number)
                public_key = read_key(home / "node.key").public_key
                await drill.agree(client, "propose_node", node_id=f"new-{number}",
                                  organisation=drill.organisations[number - 1], public_key=public_key,
                                  address=address)  # fmt: skip
                new.append(await _start(home))
                head = await client.head()
                statement = in_sync_payload(drill.genesis.chain_id, f"new-{number}", head.height, head.hash)
                await _until_in_sync(home, head.height)
                signature = read_key(home / "node.key").sign(statement)
                await drill.agree(client, "propose_validator", node_id=f"new-{number}", height=head.height,
                                  block_hash=head.hash, signature=signature)  # fmt: skip
            recoveries = cast("Any", (await client.query("governance", "recoveries", {})).result)
            assert recoveries[0]["after"] == [drill.survivor]
            validators = cast("Any", (await client.query("governance", "validators", {})).result)
            assert len(validators["members"]) == 4
            # Four again: the one that survived may stop, and writes go on.
            urls = [url, *(f"http://127.0.0.1:{drill.base_port + PORTS_PER_NODE * (2 + n) + 1}" for n in (1, 2, 3))]
        shown = await asyncio.to_thread(run, "status", "--url", url)
        assert "started again by its recovery keys" in shown.output or "復旧鍵により再開" in shown.output, shown.output
        net.kill(drill.survivor)
        # A reader that shares no code with ours follows the sets from the genesis over the recovery to today's four.
        archive = tmp_path / "chain.daicho"
        exported = await asyncio.to_thread(run, "export", "--home", drill.home, "--to", archive)
        assert exported.exit_code == 0, exported.output
        genesis = reader.read_genesis((drill.data / "genesis.json").read_bytes())
        read = await asyncio.to_thread(reader.verify_archive, genesis, archive)
        assert (len(read.validator_changes), len(read.recoveries), len(read.validators)) == (4, 1, 4)
        async with DaichoClient(urls, drill.genesis) as client:
            await drill.write(client, drill.organisations[2], "create_account", account="without", roles=[],
                              keys=[_public(b"b" * 32)])  # fmt: skip
    finally:
        for process in new:
            process.kill()
            await process.wait()
        net.stop_all()


def _public(seed: bytes) -> bytes:
    return SigningKey(seed).public_key


async def _start(home: Path) -> asyncio.subprocess.Process:
    with (home / "node.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "node", "run", "--home", str(home), stdout=log, stderr=log
        )


async def _until_in_sync(home: Path, height: int) -> None:
    config = load_config(home / CONFIG_NAME)
    url = f"http://{config.values.http_listen}"
    async with Watch([url]) as watch:
        deadline = time.monotonic() + 30
        while True:
            state = (await watch.read_one(url)).state
            if state is not None and state.height >= height:
                return
            assert time.monotonic() < deadline, (home / "node.log").read_text()[-2000:]
            await asyncio.sleep(0.1)
