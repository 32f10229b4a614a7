"""Whole nodes in one event loop: real sockets, real disks, real clocks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import uvloop

from consensus.messages import Prepare
from consensus.state import Config
from edge import runtime as runtime_module
from edge.journal import FileJournal
from edge.mempool import PoolLimits
from edge.peers import Peers
from edge.ports import free_base_port
from edge.replica import Replica
from edge.runtime import NodeRuntime
from edge.wire import Transactions, encode_message
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.genesis import Genesis
from ledger.refusal import BrokenInvariant, Refused
from ledger.store import LevelDb
from ledger.types import Transaction
from tests.edge.cluster import KeyScheme, Notes, make_genesis, note, signing_key
from tests.edge.test_peers import identity, until

HOST = "127.0.0.1"


class RealNode:
    """A node that can be started, stopped and started again on the same disk."""

    def __init__(self, genesis: Genesis, node_id: str, address: str, home: Path) -> None:
        self.genesis, self.node_id, self.address, self.home = genesis, node_id, address, home
        self.limits: PoolLimits | None = None
        home.mkdir()
        FileJournal.create(home / "votes.journal")

    async def start(self) -> None:
        self.store = LevelDb(self.home / "ledger")
        self.journal = FileJournal(self.home / "votes.journal")
        chain = Chain.open(self.store, self.genesis)
        self.runtime = NodeRuntime(self.store, chain)
        peers = Peers(self.node_id, [identity(self.node_id)], self.address, {}, self.runtime)
        config = Config(self.node_id, chain.chain_id, KeyScheme(signing_key(self.node_id)))
        replica = Replica(
            config, chain, Runtime([Notes()]), self.journal, self.runtime, self.runtime, pool_limits=self.limits
        )
        self.runtime.wire(replica, peers)
        await self.runtime.start()

    async def stop(self) -> None:
        await self.runtime.stop()
        self.journal.close()
        self.store.close()

    @property
    def height(self) -> int:
        return self.runtime.chain.height


class RealNetwork:
    def __init__(self, count: int, home: Path) -> None:
        base = free_base_port(HOST, count)
        genesis = make_genesis(count)
        self.genesis = with_addresses(genesis, base)
        self.nodes = [
            RealNode(self.genesis, node.node_id, node.address, home / node.node_id) for node in self.genesis.nodes
        ]

    def note(self, text: str = "hello", *, seconds: int = 60, account: str = "account-0") -> Transaction:
        expires_at_ms = time.time_ns() // 1_000_000 + seconds * 1_000
        return note(self.genesis, text, account=account, expires_at_ms=expires_at_ms)

    def level(self) -> bool:
        return len({node.height for node in self.nodes}) == 1


def with_addresses(genesis: Genesis, base: int) -> Genesis:
    nodes = tuple(msgspec.structs.replace(n, address=f"{HOST}:{base + i}") for i, n in enumerate(genesis.nodes))
    return msgspec.structs.replace(genesis, nodes=nodes)


@contextlib.asynccontextmanager
async def started(count: int, home: Path, limits: PoolLimits | None = None) -> AsyncIterator[RealNetwork]:
    network = RealNetwork(count, home)
    for node in network.nodes:
        node.limits = limits
        await node.start()
    try:
        await until(lambda: all(len(n.runtime.peers.connected) == count - 1 for n in network.nodes))
        yield network
    finally:
        for node in network.nodes:
            await node.stop()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(limited())


def test_a_write_is_committed_and_then_on_the_disk_of_every_validator(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            first = network.nodes[0].runtime
            assert await first.submit(network.note(), "accepted", 5) is None
            height = await first.submit(network.note(), "committed", 5)
            assert height is not None and first.chain.height >= height
            height = await first.submit(network.note(), "everywhere", 5)
            assert height is not None
            assert all(node.height >= height for node in network.nodes)

    run(test)


def test_the_same_write_to_all_nodes_at_once_and_again_is_one_write(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            write = network.note()
            copies = [Transaction.parse(write.raw) for _ in range(8)]
            heights = await asyncio.gather(
                *(network.nodes[i % 4].runtime.submit(copy, "committed", 5) for i, copy in enumerate(copies))
            )
            assert len(set(heights)) == 1
            assert await network.nodes[2].runtime.submit(write, "committed", 5) == heights[0]
            await until(network.level)
            count = sum(len(network.nodes[1].runtime.chain.receipts(h)) for h in range(1, network.nodes[1].height + 1))
            assert count == 1

    run(test)


def test_hundreds_of_writes_at_once_are_all_committed_and_each_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            writes = [network.note(f"{i}") for i in range(400)]
            heights = await asyncio.gather(
                *(network.nodes[i % 4].runtime.submit(write, "committed", 20) for i, write in enumerate(writes))
            )
            assert None not in heights
            await until(network.level)
            chain = network.nodes[3].runtime.chain
            done = [r.transaction_id for h in range(1, chain.height + 1) for r in chain.receipts(h)]
            assert sorted(done) == sorted(write.id for write in writes)
            for node in network.nodes:
                assert node.runtime.counters["misbehaviour"] == 0

    run(test)


def test_bad_input_is_refused_with_its_reason_and_leaves_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(1, tmp_path) as network:
            runtime = network.nodes[0].runtime
            good = network.note()
            flipped = Transaction.parse(good.raw[:-1] + bytes([good.raw[-1] ^ 1]))
            for bad, code in [
                (flipped, "bad_signature"),
                (network.note(seconds=-1), "expired"),
                (network.note(seconds=7_200), "expires_too_late"),
                (network.note(account="nobody"), "unknown_account"),
            ]:
                with pytest.raises(Refused) as refused:
                    await runtime.submit(bad, "committed", 5)
                assert refused.value.reason.code == code
            assert len(runtime.replica.pool) == 0
            assert runtime._waiting == {} and runtime._on_the_way == {}
            assert await runtime.submit(good, "committed", 5) == 1

    run(test)


def test_without_a_quorum_a_write_is_not_acknowledged_and_with_it_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            for node in network.nodes[2:]:
                await node.stop()
            write = network.note()
            runtime = network.nodes[0].runtime
            with pytest.raises(Refused, match="not_yet"):
                await runtime.submit(write, "committed", 0.5)
            assert runtime.chain.height_of(write.id) is None
            assert runtime._waiting == {}
            again = asyncio.ensure_future(runtime.submit(write, "committed", 15))
            for node in network.nodes[2:]:
                await node.start()
            assert await again is not None
            await until(network.level)

    run(test)


def test_a_stopped_node_comes_back_with_its_votes_catches_up_and_votes(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            runtime = network.nodes[0].runtime
            await runtime.submit(network.note(), "everywhere", 5)
            late = network.nodes[3]
            await late.stop()
            for _ in range(5):
                await runtime.submit(network.note(), "committed", 5)
            await late.start()
            await until(network.level)
            assert late.runtime.replica.votes
            await network.nodes[1].stop()
            assert await runtime.submit(network.note(), "committed", 10) is not None, "its vote is needed now"
            await network.nodes[1].start()
            await until(network.level)

    run(test)


def test_a_full_pool_says_so_and_takes_the_same_write_later(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path, PoolLimits(max_count=2)) as network:
            for node in network.nodes[2:]:
                await node.stop()
            runtime = network.nodes[0].runtime
            for _ in range(2):
                await runtime.submit(network.note(), "accepted", 5)
            third = network.note()
            with pytest.raises(Refused, match="pool_full"):
                await runtime.submit(third, "accepted", 5)
            for node in network.nodes[2:]:
                await node.start()
            await until(lambda: runtime.chain.height > 0, 15)
            assert await runtime.submit(third, "committed", 5) is not None

    run(test)


def test_more_than_can_be_checked_in_time_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(runtime_module, "MAX_INTAKE", 10)
        async with started(1, tmp_path) as network:
            answers = await asyncio.gather(
                *(network.nodes[0].runtime.submit(network.note(f"{i}"), "committed", 5) for i in range(30)),
                return_exceptions=True,
            )
            turned_away = [a for a in answers if isinstance(a, Refused) and a.reason.code == "overloaded"]
            assert len(turned_away) == 20
            assert sum(isinstance(a, int) for a in answers) == 10

    run(test)


def test_a_peer_that_floods_with_gossip_leaves_room_for_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr(runtime_module, "MAX_INTAKE", 60)
        monkeypatch.setattr(runtime_module, "MAX_INTAKE_OF_PEER", 40)
        async with started(1, tmp_path) as network:
            runtime = network.nodes[0].runtime
            flood = tuple(network.note(f"{i}").raw for i in range(200))
            runtime.on_frame("node-2", encode_message(Transactions(flood)))
            assert runtime.counters["gossip_dropped"] == 160
            assert await runtime.submit(network.note(), "committed", 5) is not None
            runtime.on_frame("node-2", encode_message(Transactions(flood[:10])))
            assert runtime.counters["gossip_dropped"] == 160, "what was worked off makes room again"

    run(test)


def test_a_peer_that_sends_nonsense_is_counted_cut_off_and_disturbs_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(4, tmp_path) as network:
            liar, honest = network.nodes[3].runtime, network.nodes[0].runtime
            forged = network.note()
            forged = Transaction.parse(forged.raw[:-1] + bytes([forged.raw[-1] ^ 1]))
            stranger = Prepare(1, 0, bytes(32), "node-9", bytes(64))
            nonsense = [
                b"",
                b"\xc1" * 50,
                b"\x91" * 10_000,
                encode_message(Transactions((b"junk",))),
                encode_message(Transactions((forged.raw,))),
                encode_message(stranger),
            ]
            for payload in nonsense:
                liar.peers.send("node-1", payload)
            await until(lambda: honest.counters["misbehaviour"] >= len(nonsense))
            assert len(honest.replica.pool) == 0
            assert "node-4" in honest.peers.connected, "a few slips cost nothing"
            for _ in range(20):
                liar.peers.send("node-1", b"\xc1")
            await until(lambda: "node-4" not in honest.peers.connected)
            assert await honest.submit(network.note(), "committed", 5) is not None
            await until(network.level)

    run(test)


def test_a_broken_invariant_ends_the_node_and_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with started(1, tmp_path) as network:
            runtime = network.nodes[0].runtime

            def broken(*_: object, **__: object) -> None:
                raise BrokenInvariant("points were lost")

            monkeypatch.setattr(runtime.replica.runtime, "execute", broken)
            with pytest.raises(Refused):
                await runtime.submit(network.note(), "committed", 1)
            with pytest.raises(BrokenInvariant, match="points were lost"):
                await runtime.fatal
            assert runtime.chain.height == 0

    run(test)
