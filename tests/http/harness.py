"""Nodes in memory for tests of the API and its client: real chains and contracts, blocks made on demand, real HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import aiohttp

from contracts.governance import Governance
from edge.http.app import make_app
from edge.http.server import HttpServer, serve
from edge.http.settings import HttpSettings
from edge.metrics import Metrics
from edge.node_view import NodeStatus, PeerStatus
from edge.runtime import RuntimeReason, Wait
from ledger import registry, rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode
from ledger.genesis import Genesis
from ledger.kv import MemoryKeyValue, Reader
from ledger.refusal import Refused
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, Seal, Transaction, TransactionBody, TransactionReason
from ledger.votes import commit_payload

HACHIOJI, TACHIKAWA = "132012", "132021"
OPERATOR = "hachioji.operator"
T = TypeVar("T")


def key_of(name: str) -> SigningKey:
    return SigningKey(name.encode().ljust(32, b".")[:32])


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def make_genesis(nodes: int = 4) -> Genesis:
    accounts = [
        registry.Account(name, code, roles, (key_of(name).public_key,), revoked)
        for name, code, roles, revoked in [
            (OPERATOR, HACHIOJI, ("operator",), False),
            ("tachikawa.operator", TACHIKAWA, ("operator",), False),
            ("hachioji.clerk", HACHIOJI, ("donations.officer",), False),
            ("hachioji.gone", HACHIOJI, (), True),
        ]
    ]
    versions = Runtime([Governance()]).latest_versions()
    return Genesis(
        "test",
        wall_ms() - 3_600_000,
        (
            registry.Organisation(HACHIOJI, "八王子市", "Hachioji"),
            registry.Organisation(TACHIKAWA, "立川市", "Tachikawa"),
        ),
        tuple(accounts),
        tuple(
            registry.Node(f"node-{i}", HACHIOJI, key_of(f"node-{i}").public_key, f"127.0.0.1:{i}", "validator")
            for i in range(1, nodes + 1)
        ),
        registry.DEFAULT_PARAMETERS,
        tuple(registry.ContractVersion(name, version, 0) for name, version in versions.items()),
        registry.RecoveryKeys(0, ()),
    )


class FakeNode:
    """What `edge/node_view.py` asks of a node, over a real chain. `network` decides what is in a block."""

    def __init__(self, network: Network, node_id: str) -> None:
        self.network = network
        self.node_id = node_id
        self.runtime: Runtime = Runtime([Governance()])
        self.kv = MemoryKeyValue()
        self.chain = Chain.open(self.kv, network.genesis)
        self.pool: dict[bytes, Transaction] = {}
        self.accepts: Refused | Exception | None = None
        """What every submission gets instead of being taken."""
        self.changes: dict[str, Any] = {}
        self.evidence_kept: list[tuple[bytes, bytes]] = []
        self._moved = asyncio.Event()
        self._listeners: list[Callable[[ExecutedBlock], None]] = []

    def status(self) -> NodeStatus:
        heights = {n.node_id: n.chain.height for n in self.network.nodes}
        others = [v for v in self.chain.validators.ids if v != self.node_id]
        status = NodeStatus(
            node_id=self.node_id,
            round=0,
            leader="node-1",
            votes=True,
            halted=None,
            refused_block=None,
            observe_through_height=0,
            best_height=max(heights.values()),
            peers=tuple(PeerStatus(v, True, heights.get(v)) for v in others),
            pool_count=len(self.pool),
            pool_bytes=sum(len(t.raw) for t in self.pool.values()),
            pool_oldest_wait_ms=0,
            equivocations=0,
            misbehaved=0,
            certificate_days_left=None,
        )
        return replace(status, **self.changes)

    def frozen(self) -> AbstractContextManager[Reader]:
        return self.kv.frozen()

    async def submit(self, transaction: Transaction, wait: Wait, timeout_s: float) -> int | None:
        if self.accepts is not None:
            raise self.accepts
        height = self.chain.height_of(transaction.id)
        if height is not None:
            return height
        rules.check_transaction(self.chain.chain_id, self.chain.state, self.chain.height_of, transaction, wall_ms())
        if not transaction.is_signed():
            raise Refused(TransactionReason.BAD_SIGNATURE)
        self.pool[transaction.id] = transaction
        if self.network.commits:
            asyncio.get_running_loop().call_soon(self.network.commit)
        if wait == "accepted":
            return None
        until = time.monotonic() + timeout_s
        while (height := self.chain.height_of(transaction.id)) is None:
            if not await self._wait(until):
                raise Refused(RuntimeReason.NOT_YET)
        return height

    async def submit_many(
        self, transactions: Sequence[Transaction], wait: Wait, timeout_s: float
    ) -> Sequence[int | Refused | None]:
        async def one(transaction: Transaction) -> int | Refused | None:
            try:
                return await self.submit(transaction, wait, timeout_s)
            except Refused as refused:
                return refused

        return await asyncio.gather(*(one(transaction) for transaction in transactions))

    def is_pending(self, transaction_id: bytes) -> bool:
        return transaction_id in self.pool

    def on_disk_at(self, height: int) -> tuple[str, ...]:
        return tuple(n.node_id for n in self.network.nodes if n.chain.height >= height)

    def evidence(self) -> list[tuple[bytes, bytes]]:
        return self.evidence_kept

    async def wait_for_height(self, height: int, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while self.chain.height < height:
            if not await self._wait(until):
                return False
        return True

    async def _wait(self, until: float) -> bool:
        try:
            await asyncio.wait_for(self._moved.wait(), max(0.0, until - time.monotonic()))
        except TimeoutError:
            return False
        return True

    def on_commit(self, listener: Callable[[ExecutedBlock], None]) -> None:
        self._listeners.append(listener)

    def take(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        self.chain.commit(executed, certificate)
        for transaction in executed.transactions:
            self.pool.pop(transaction.id, None)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        for listener in self._listeners:
            listener(executed)


class Network:
    """Nodes that agree by being told: `commit` makes a block of what waits and gives it to all of them."""

    def __init__(self, nodes: int = 4, *, served: int = 1) -> None:
        self.genesis = make_genesis(nodes)
        self.commits = True
        self.nodes: list[FakeNode] = []
        self.nodes = [FakeNode(self, f"node-{i}") for i in range(1, served + 1)]

    @property
    def node(self) -> FakeNode:
        return self.nodes[0]

    def commit(self, *transactions: Transaction, empty: bool = False) -> None:
        waiting = {**{t.id: t for n in self.nodes for t in n.pool.values()}, **{t.id: t for t in transactions}}
        if not waiting and not empty:
            return
        node = self.node
        executed = rules.build_block(node.chain, node.runtime, waiting.values(), time_ms=wall_ms(), proposer="node-1")
        certificate = self.certify(executed)
        for node in self.nodes:
            node.take(executed, certificate)

    def certify(self, executed: ExecutedBlock) -> Certificate:
        payload = commit_payload(self.genesis.chain_id, executed.height, 0, executed.digest)
        validators = self.node.chain.validators
        seals = tuple(Seal(v, key_of(v).sign(payload)) for v in validators.ids[: validators.quorum])
        return Certificate(executed.height, 0, executed.digest, seals)

    def sign(
        self, contract: str, method: str, /, sender: str = OPERATOR, expires_in_ms: int = 60_000, **args: Value
    ) -> Transaction:
        key = key_of(sender)
        body = TransactionBody(
            self.genesis.chain_id,
            sender,
            key.public_key,
            contract,
            method,
            encode(args),
            os.urandom(16),
            wall_ms() + expires_in_ms,
        )
        return Transaction.sign(body, key)

    def account(self, name: str) -> Transaction:
        """A transaction that the governance contract carries out."""
        return self.sign("governance", "create_account", account=name, roles=(), keys=(key_of(name).public_key,))


class Served:
    """A node's API over real HTTP, and a session to ask it with."""

    def __init__(self, network: Network, server: HttpServer, session: aiohttp.ClientSession, metrics: Metrics) -> None:
        self.network = network
        self.node = network.node
        self.server = server
        self.session = session
        self.metrics = metrics
        self.url = f"http://127.0.0.1:{server.port}"

    async def ask(self, method: str, path: str, **how: Any) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        async with self.session.request(method, self.url + path, **how) as response:
            return response.status, await response.json()

    async def get(self, path: str, **how: Any) -> tuple[int, Any]:
        return await self.ask("GET", path, **how)

    async def submit(self, transaction: Transaction, query: str = "") -> tuple[int, Any]:
        return await self.ask(
            "POST",
            "/v1/transactions" + query,
            data=transaction.raw,
            headers={"Content-Type": "application/vnd.daicho.transaction"},
        )


@asynccontextmanager
async def serving(node: FakeNode) -> AsyncIterator[HttpServer]:
    settings = HttpSettings()
    server = await serve(make_app(node, settings), settings, "127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.close()


def with_nodes(scenario: Callable[[Network, list[HttpServer]], Awaitable[T]], *, nodes: int = 4, served: int = 4) -> T:
    """Run `scenario` against a network whose first `served` nodes each have their API."""

    async def run() -> T:
        network = Network(nodes, served=served)
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(serving(node)) for node in network.nodes]
            return await scenario(network, servers)

    return asyncio.run(run())


def with_api(scenario: Callable[[Served], Awaitable[T]], settings: HttpSettings | None = None, *, nodes: int = 4) -> T:
    """Run `scenario` against one served node of a network of `nodes` validators."""

    async def run() -> T:
        network = Network(nodes)
        settings_ = settings or HttpSettings()
        metrics = Metrics(network.node)
        server = await serve(make_app(network.node, settings_, metrics), settings_, "127.0.0.1", 0)
        async with aiohttp.ClientSession() as session:
            try:
                return await scenario(Served(network, server, session, metrics))
            finally:
                await server.close()

    return asyncio.run(run())


def run(scenario: Coroutine[object, object, T]) -> T:
    return asyncio.run(scenario)
