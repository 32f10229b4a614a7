"""The replica in an event loop: sockets and clocks around the synchronous machine of `edge/replica.py`.

Everything happens in one thread; signatures of transactions are checked before the replica sees them, in slices.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from consensus.messages import Vote
from edge.peers import Peers
from edge.replica import Now, Refusal, Replica, Submitted
from edge.wire import MAX_GOSSIP, Blocks, PeerMessage, Status, Transactions, decode_message, encode_message
from ledger import layout, registry
from ledger.chain import Chain
from ledger.encoding import Wire, pack, unpack
from ledger.kv import Reader, Store, after_prefix
from ledger.refusal import Reason, Refused, Text
from ledger.rules import ExecutedBlock
from ledger.types import Certificate, Transaction, TransactionReason

log = logging.getLogger("daicho.node")

MAX_INTAKE = 50_000
"""Transactions whose signature is still to be checked, of clients and peers together."""
MAX_INTAKE_OF_PEER = 10_000
"""Of these from one peer: gossip beyond it is dropped, so that no peer keeps clients or other peers out."""
INTAKE_BATCH = 32
"""Signatures checked before the loop looks at its connections again: about 4 ms."""
MAX_EVIDENCE_OF_NODE = 100
RENEW_EVERY_S = 3_600.0

BULK = (Transactions, Blocks)
"""What goes to a peer after everything that the consensus waits for."""

Wait = Literal["accepted", "committed", "everywhere"]
T = TypeVar("T")


class RuntimeReason(Reason):
    OVERLOADED = Text(
        "混み合っています。しばらくしてから送り直してください", "the node is overloaded: send it again shortly"
    )
    NOT_YET = Text(
        "時間内に確定しませんでした。同じ内容を送り直しても二重にはなりません",
        "not committed in time: it may still be, and sending the same bytes again is safe",
    )
    STOPPING = Text("ノードは停止中です", "the node is stopping")


def now() -> Now:
    return Now(time.monotonic_ns() // 1_000_000, time.time_ns() // 1_000_000)


class EvidenceRow(Wire, frozen=True):
    """Two conflicting votes, as this node keeps them."""

    first: bytes
    second: bytes


@dataclass(slots=True)
class _Arrival:
    """A transaction on its way through the signature check."""

    transaction: Transaction
    origin: str | None
    answer: asyncio.Future[Submitted] | None


@dataclass(slots=True)
class _Entry:
    """A client's transaction, from its submission until it has come as far as the client waits for."""

    transaction_id: bytes
    height: int | None = None
    """Where it is committed already."""
    refusal: Refused | None = None
    answer: asyncio.Future[Submitted] | None = None
    """Of the pool; None if it is there already."""
    committed: asyncio.Future[int] | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the pool has it."""
        if self.refusal is not None:
            return False
        return self.answer is None or (self.answer.done() and self.answer.exception() is None)

    def outcome(self, wait: Wait) -> int | Refused | None:
        if self.refusal is not None or self.height is not None:
            return self.refusal or self.height
        for future in (self.answer, self.committed):
            if future is None:
                continue
            if not future.done():
                return Refused(RuntimeReason.NOT_YET)
            error = future.exception()
            if isinstance(error, Refused):
                return error
        return None if wait == "accepted" or self.committed is None else self.committed.result()


async def _all_done(futures: Sequence[asyncio.Future[Any]], deadline: float) -> None:
    """Until all have a result or an error, or until the deadline."""
    if futures:
        await asyncio.wait(futures, timeout=max(0.0, deadline - time.monotonic()))


class NodeRuntime:
    """A running node, as the HTTP API and `node.py` see it."""

    def __init__(self, kv: Store, chain: Chain) -> None:
        self.chain = chain
        self.kv = kv
        self.counters: Counter[str] = Counter(equivocations=len(self.evidence_rows()))
        self.fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replica: Replica | None = None
        self._peers: Peers | None = None
        self._arrivals: asyncio.Queue[_Arrival] = asyncio.Queue(MAX_INTAKE)
        self._on_the_way: dict[bytes, _Arrival] = {}
        self._on_the_way_from: Counter[str] = Counter()
        self._waiting: dict[bytes, list[asyncio.Future[int]]] = {}
        self._head_changed = asyncio.Event()
        self._peer_status_changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._told_refusal: Refusal | None = None
        self._told_halt = False
        self._tasks: list[asyncio.Task[None]] = []
        self._commit_listeners: list[Callable[[ExecutedBlock], None]] = []

    # -- life ----------------------------------------------------------------------------------------------------------

    def wire(self, replica: Replica, peers: Peers) -> None:
        self._replica = replica
        self._peers = peers

    def frozen(self) -> AbstractContextManager[Reader]:
        """The whole store as it stands now, while the node goes on."""
        return self.kv.frozen()

    @property
    def replica(self) -> Replica:
        if self._replica is None:
            raise RuntimeError("the node is not wired yet")
        return self._replica

    @property
    def peers(self) -> Peers:
        if self._peers is None:
            raise RuntimeError("the node is not wired yet")
        return self._peers

    async def start(self) -> None:
        # First the votes in the journal (rule 8), then the peers: nothing may be answered before they are known.
        self._call(lambda: self.replica.start(now()))
        self._tasks = [self._spawn(self._take_arrivals()), self._spawn(self._renew())]
        await self.peers.start(self._nodes())

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(Refused(RuntimeReason.STOPPING))
        await self.peers.stop()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """A broken invariant: the node stops before it does anything else."""
        if not self.fatal.done():
            self.fatal.set_exception(error)

    def _call(self, work: Callable[[], T]) -> T | None:
        """Let the replica do something; whatever it raises that is no refusal ends the node."""
        if self.fatal.done():
            return None
        try:
            return work()
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - not swallowed: it ends the node (`fatal`)
            self._fail(error)
            return None
        finally:
            self._tell_trouble()
            self._set_timer()

    def _tell_trouble(self) -> None:
        """Into the log, once each: a proposal that got no vote here, and that the node has stopped taking part."""
        refusal, halted = self.replica.last_refusal, self.replica.halted
        if refusal is not self._told_refusal:
            self._told_refusal = refusal
            if refusal is not None:
                self.counters["refused_proposals"] += 1
                log.error("no vote at height %s, round %s: %s", refusal.height, refusal.round, refusal.detail)
        if halted is not None and not self._told_halt:
            self._told_halt = True
            log.critical("stopped at height %s, its last good block: %s", halted.height, halted.detail)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0, self.replica.next_deadline_ms() - now().monotonic_ms) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._call(lambda: self.replica.on_tick(now()))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            self.peers.renew_if_due()

    def _nodes(self) -> list[registry.Node]:
        return [node for _, node in registry.NODES.page(self.chain.state, limit=1_000)]

    # -- ports of the replica ------------------------------------------------------------------------------------------

    def send(self, peer: str, message: PeerMessage) -> None:
        self.peers.send(peer, encode_message(message), bulk=isinstance(message, BULK))

    def broadcast(self, message: PeerMessage) -> None:
        if self.peers.connected:
            self.peers.broadcast(encode_message(message), bulk=isinstance(message, BULK))

    def committed(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        height = executed.height
        self.counters["blocks"] += 1
        self.counters["transactions"] += len(executed.transactions)
        for transaction, receipt in zip(executed.transactions, executed.receipts, strict=True):
            if not receipt.done:
                self.counters["refused_receipts"] += 1
            for future in self._waiting.pop(transaction.id, ()):
                if not future.done():
                    future.set_result(height)
        prefix = registry.NODES.key("")
        if any(key.startswith(prefix) for key in executed.writes):
            self.peers.set_nodes(self._nodes())
        self._head_changed.set()
        self._head_changed = asyncio.Event()
        for listener in self._commit_listeners:
            listener(executed)

    def misbehaved(self, peer: str, what: str) -> None:
        self.counters["misbehaviour"] += 1
        log.warning("peer %s: %s", peer, what)
        self.peers.strike(peer)

    def evidence(self, first: Vote, second: Vote) -> None:
        """Rule 12: kept on disk, bounded, until an operator puts it on the chain."""
        self.counters["equivocations"] += 1
        log.error("validator %s has signed two different votes for height %s", first.node_id, first.height)
        of_node = layout.EVIDENCE + f"{first.node_id}/".encode()
        if sum(1 for _ in self.kv.scan(of_node, after_prefix(of_node))) < MAX_EVIDENCE_OF_NODE:
            key = of_node + f"{first.height}/{first.round}/{type(first).__name__}".encode()
            self.kv.write({key: pack(EvidenceRow(pack(first), pack(second)))})

    def on_commit(self, listener: Callable[[ExecutedBlock], None]) -> None:
        """Call `listener` for each block that is committed from now on (for metrics)."""
        self._commit_listeners.append(listener)

    # -- frames --------------------------------------------------------------------------------------------------------

    def on_connected(self, peer: str) -> None:
        self._call(lambda: self.replica.on_peer_connected(peer, now()))

    def on_frame(self, peer: str, payload: bytes) -> None:
        try:
            message = decode_message(payload)
        except Refused as refused:
            self.misbehaved(peer, f"a frame that is no message: {refused.reason.code}")
            return
        if isinstance(message, Transactions):
            self._gossip_arrived(peer, message)
        else:
            self._call(lambda: self.replica.on_message(peer, message, now()))
            if isinstance(message, Status):
                self._peer_status_changed.set()
                self._peer_status_changed = asyncio.Event()

    def on_lost(self, peer: str) -> None:
        self._call(lambda: self.replica.on_peer_lost(peer, now()))

    def _gossip_arrived(self, peer: str, message: Transactions) -> None:
        if len(message.items) > MAX_GOSSIP:
            self.misbehaved(peer, "too many transactions in one message")
            return
        for raw in message.items:
            try:
                transaction = Transaction.parse(raw)
            except Refused as refused:
                self.misbehaved(peer, f"no transaction: {refused.reason.code}")
                return
            if transaction.id in self._on_the_way or transaction.id in self.replica.pool:
                continue
            if self._on_the_way_from[peer] >= MAX_INTAKE_OF_PEER or not self._arrives(
                _Arrival(transaction, peer, None)
            ):
                self.counters["gossip_dropped"] += 1

    def _arrives(self, arrival: _Arrival) -> bool:
        try:
            self._arrivals.put_nowait(arrival)
        except asyncio.QueueFull:
            return False
        self._on_the_way.setdefault(arrival.transaction.id, arrival)
        if arrival.origin is not None:
            self._on_the_way_from[arrival.origin] += 1
        return True

    async def _take_arrivals(self) -> None:
        """Check signatures a slice at a time, and let the loop hear what the peers say between the slices.

        Not in threads: each check gives up the interpreter lock and, while the loop is busy, waits 5 ms to have it
        back. Measured: 190 checks a second in a thread beside a busy loop, 9,500 here.
        """
        while True:
            batch = [await self._arrivals.get()]
            while len(batch) < INTAKE_BATCH and not self._arrivals.empty():
                batch.append(self._arrivals.get_nowait())
            checked = [(a, self._is_known(a) or a.transaction.is_signed()) for a in batch]
            for arrival in batch:
                self._on_the_way.pop(arrival.transaction.id, None)
                if arrival.origin is not None:
                    self._on_the_way_from[arrival.origin] -= 1
            self._hand_over(checked)
            await asyncio.sleep(0)

    def _is_known(self, arrival: _Arrival) -> bool:
        """Whether it has come another way meanwhile: then it is not taken, so its signature need not be checked."""
        transaction_id = arrival.transaction.id
        if transaction_id in self.replica.pool:
            return True
        # A client's was looked for in the chain a moment ago.
        return arrival.origin is not None and self.chain.height_of(transaction_id) is not None

    def _hand_over(self, checked: Sequence[tuple[_Arrival, bool]]) -> None:
        submitted = [a for a, ok in checked if ok and a.origin is None]
        gossiped = [a for a, ok in checked if ok and a.origin is not None]
        for arrival, ok in checked:
            if not ok:
                self._refuse(arrival)
        if gossiped:
            self._call(lambda: self.replica.take_gossip([a.transaction for a in gossiped], now()))
        if submitted:
            answers = self._call(
                lambda: self.replica.submit_many([a.transaction for a in submitted], now(), verified=True)
            )
            for arrival, answer in zip(submitted, answers or (), strict=False):
                if arrival.answer is not None and not arrival.answer.done():
                    if isinstance(answer, Refused):
                        arrival.answer.set_exception(answer)
                    else:
                        arrival.answer.set_result(answer)

    def _refuse(self, arrival: _Arrival) -> None:
        if arrival.origin is not None:
            self.misbehaved(arrival.origin, "a transaction with a wrong signature")
        elif arrival.answer is not None and not arrival.answer.done():
            arrival.answer.set_exception(Refused(TransactionReason.BAD_SIGNATURE))

    # -- what the API asks for -----------------------------------------------------------------------------------------

    async def submit(self, transaction: Transaction, wait: Wait, timeout_s: float) -> int | None:
        """Take a client's transaction; the height at which it is committed, None if only accepted.

        `Refused` says why it is not taken; `RuntimeReason.NOT_YET` that `wait` has not come true in time.
        """
        (outcome,) = await self.submit_many([transaction], wait, timeout_s)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def submit_many(
        self, transactions: Sequence[Transaction], wait: Wait, timeout_s: float
    ) -> list[int | Refused | None]:
        """Several at once, in their order: for each what `submit` gives or refuses."""
        deadline = time.monotonic() + timeout_s
        entries = [self._enter(transaction, wait) for transaction in transactions]
        try:
            await _all_done([e.answer for e in entries if e.answer is not None], deadline)
            if wait != "accepted":
                await _all_done([e.committed for e in entries if e.committed is not None and e.is_taken], deadline)
            outcomes = [entry.outcome(wait) for entry in entries]
        finally:
            for entry in entries:
                self._forget(entry)
        if wait == "everywhere":
            outcomes = [await self._everywhere(outcome, deadline) for outcome in outcomes]
        return outcomes

    def _enter(self, transaction: Transaction, wait: Wait) -> _Entry:
        """Put a client's transaction on its way, and notice what is known of it at once."""
        entry = _Entry(transaction.id)
        entry.height = self.chain.height_of(transaction.id)
        if entry.height is not None:
            return entry
        loop = asyncio.get_running_loop()
        try:
            # What is refused anyway is refused before it costs a signature check.
            self.replica.check(transaction, now())
        except Refused as refused:
            entry.refusal = refused
            return entry
        if wait != "accepted":
            entry.committed = loop.create_future()
            self._waiting.setdefault(transaction.id, []).append(entry.committed)
        if transaction.id not in self.replica.pool:
            entry.answer = loop.create_future()
            if not self._arrives(_Arrival(transaction, None, entry.answer)):
                entry.refusal, entry.answer = Refused(RuntimeReason.OVERLOADED), None
        return entry

    def _forget(self, entry: _Entry) -> None:
        for future in (entry.answer, entry.committed):
            if future is not None:
                future.cancel()
        futures = self._waiting.get(entry.transaction_id)
        if futures is not None and entry.committed in futures:
            futures.remove(entry.committed)
            if not futures:
                del self._waiting[entry.transaction_id]

    async def _everywhere(self, outcome: int | Refused | None, deadline: float) -> int | Refused | None:
        if isinstance(outcome, int):
            try:
                await self._wait_everywhere(outcome, deadline - time.monotonic())
            except Refused as refused:
                return refused
        return outcome

    async def _wait_everywhere(self, height: int, timeout_s: float) -> None:
        """Until every validator that is connected has the block on disk."""
        deadline = time.monotonic() + timeout_s
        while not self.is_everywhere(height):
            changed = self._peer_status_changed
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await changed.wait()
            except TimeoutError:
                raise Refused(RuntimeReason.NOT_YET) from None

    def is_everywhere(self, height: int) -> bool:
        live = set(self.peers.connected) & set(self.chain.validators.ids)
        return all((self.replica.sync.height_of(peer) or 0) >= height for peer in live)

    async def wait_for_height(self, height: int, timeout_s: float) -> bool:
        """Until the head is at `height`; False if it is not in time."""
        deadline = time.monotonic() + timeout_s
        while self.chain.height < height:
            changed = self._head_changed
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    await changed.wait()
            except TimeoutError:
                return False
        return True

    def live_validators(self) -> tuple[str, ...]:
        """The validators that this node can see now, itself included."""
        seen = {*self.peers.connected, self.replica.config.node_id}
        return tuple(v for v in self.chain.validators.ids if v in seen)

    def evidence_rows(self) -> list[EvidenceRow]:
        return [unpack(EvidenceRow, row) for _, row in self.kv.scan(layout.EVIDENCE, layout.EVIDENCE + b"\xff")]
