"""A validator that signs two different votes, on real processes: seen by all, shown, put on the chain, and expelled."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli import main
from consensus.messages import Prepare
from edge.evidence import Conflict
from edge.keys import read_key, read_private_key
from edge.localnet import Localnet
from edge.peers import Peers
from edge.wire import encode_message
from ledger.crypto import SigningKey
from ledger.genesis import Genesis, load_genesis
from ledger.votes import prepare_payload

pytestmark = pytest.mark.process


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


class Liar:
    """A validator's key and address in other hands: it tells every peer two things at once."""

    def __init__(self, net: Localnet, genesis: Genesis, node_id: str) -> None:
        key_file = net.home(node_id) / "node.key"
        self.node_id = node_id
        self.chain_id = genesis.chain_id
        self.nodes = genesis.nodes
        self.key: SigningKey = read_key(key_file)
        address = next(n.address for n in genesis.nodes if n.node_id == node_id)
        self.peers = Peers(node_id, [read_private_key(key_file)], address, {}, self)

    def vote(self, height: int, digest: bytes) -> Prepare:
        signature = self.key.sign(prepare_payload(self.chain_id, height, 0, digest))
        return Prepare(height, 0, digest, self.node_id, signature)

    async def lie(self, height: int) -> None:
        await self.peers.start(self.nodes)
        async with asyncio.timeout(10):
            while len(self.peers.connected) < len(self.nodes) - 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        for digest in (b"\x01" * 32, b"\x02" * 32):
            self.peers.broadcast(encode_message(self.vote(height, digest)))
        await asyncio.sleep(0.3)
        await self.peers.stop()

    def on_connected(self, peer: str) -> None:
        pass

    def on_frame(self, peer: str, payload: bytes) -> None:
        pass

    def on_lost(self, peer: str) -> None:
        pass


def listed(data: Path) -> tuple[int, list[dict[str, object]]]:
    result = run("evidence", "list", "--data", data, "--json")
    return result.exit_code, json.loads(result.stdout)["evidence"]


def listed_in_time(data: Path) -> tuple[int, list[dict[str, object]]]:
    """As soon as some node tells of evidence: votes are on their way for a moment."""
    ends_s = time.monotonic() + 20
    while (found := listed(data)) == (0, []) and time.monotonic() < ends_s:
        time.sleep(0.1)
    return found


def test_two_votes_of_one_validator_are_seen_put_on_the_chain_and_cost_it_its_vote(tmp_path: Path) -> None:
    data = tmp_path / "net"
    up = run("localnet", "up", "--data", data, "--nodes", "4")
    assert up.exit_code == 0, up.output + up.stderr
    net = Localnet(data)
    try:
        assert listed(data) == (0, [])
        culprit = net.file.nodes[3].node_id
        run("localnet", "kill", "--data", data, culprit)
        asyncio.run(Liar(net, load_genesis(net.genesis_path.read_bytes()), culprit).lie(height=1))

        code, found = listed_in_time(data)
        assert code == 1
        assert [(e["node_id"], e["kind"], e["recorded"]) for e in found] == [(culprit, "prepare", False)]
        assert "two different votes" in run("status", "--data", data).output

        # It outlives a restart of whoever saw it, and the dead node's silence hides nothing.
        run("localnet", "restart", "--data", data, net.file.nodes[0].node_id)
        assert listed(data) == (1, found)

        operator = [data / "accounts" / f"operator.{p.organisation}.key" for p in net.file.nodes]
        done = run("evidence", "record", "--data", data, "--key", operator[0], "--json")
        assert done.exit_code == 0, done.output + done.stderr
        code, found = listed(data)
        assert (code, [e["recorded"] for e in found]) == (0, [True])
        again = run("evidence", "record", "--data", data, "--key", operator[1])
        assert "no evidence" in again.output

        def governance(key: Path, *call: str) -> dict[str, object]:
            result = run("tx", "submit", "--data", data, "--key", key, "--json", "governance", *call)
            assert result.exit_code == 0, result.output + result.stderr
            answer = json.loads(result.stdout)["result"]
            assert isinstance(answer, dict)
            return answer

        proposal = governance(operator[0], "propose_node_removal", f"node_id={culprit}")["proposal"]
        for key in operator[1:3]:
            governance(key, "approve", f"proposal={proposal}")
        left = json.loads(run("query", "--data", data, "governance", "validators", "--json").stdout)["result"]
        assert culprit not in [m["node_id"] for m in left["members"]]
        assert len(left["members"]) == 3
        story = run("history", "--data", data, f"node:{culprit}").output
        assert "evidence_recorded" in story
    finally:
        run("localnet", "down", "--data", data)


def test_a_conflict_is_named_as_the_chain_names_it() -> None:
    first, second = (Prepare(7, 2, digest * 32, "n1", b"s" * 64) for digest in (b"a", b"b"))
    conflict = Conflict(first, second, recorded=False)
    assert conflict.evidence_id == "n1/prepare/7/2"
    assert conflict.call(b"c" * 32)["first_signature"] == b"s" * 64
