"""What the HTTP API needs of a node: a small seam, filled by `edge/runtime.py` and by a fake in the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from edge.runtime import NodeRuntime, Wait, now
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.kv import Reader
from ledger.refusal import Refused
from ledger.registry import NODES
from ledger.rules import ExecutedBlock
from ledger.types import Transaction, ValidatorSet

MAX_PEERS = 200

IN_SYNC_WITHIN_BLOCKS = 2
"""A node this close to the best height it has heard of answers with today's state."""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """Another node, as this one sees it."""

    node_id: str
    connected: bool
    height: int | None
    """The greatest height that it has shown to have on its disk; None if it has not said."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node at one moment. What is counted is counted since the process started."""

    node_id: str
    round: int
    leader: str
    votes: bool
    """Whether it takes part in the vote at the current height."""
    halted: str | None
    """Why it has stopped taking part; None while it runs."""
    refused_block: str | None
    """Why it gave a proposal at the current height no vote: its own software or state differs from the others'."""
    observe_through_height: int
    """Up to here it only observes, because it cannot know what it has signed (rule 8)."""
    best_height: int
    """The greatest height that more validators say they have than may be lying."""
    peers: tuple[PeerStatus, ...]
    pool_count: int
    pool_bytes: int
    pool_oldest_wait_ms: int
    equivocations: int
    """Pairs of conflicting votes seen (rule 12)."""
    misbehaved: int
    """Messages dropped because no honest node sends them (rule 11)."""
    certificate_days_left: float | None
    """Until the peer certificate expires; None where there is none."""


class NodeView(Protocol):
    @property
    def chain(self) -> Chain: ...

    @property
    def runtime(self) -> Runtime: ...

    def status(self) -> NodeStatus: ...

    async def submit(self, transaction: Transaction, wait: Wait, timeout_s: float) -> int | None:
        """Check everything, the signature included, and take it into the pool, then wait as told.

        The height at which it is committed; None if it is only accepted. `Refused` names why it is not taken;
        `RuntimeReason.NOT_YET` says that it is taken but `wait` has not come true in time.
        """
        ...

    async def submit_many(
        self, transactions: Sequence[Transaction], wait: Wait, timeout_s: float
    ) -> Sequence[int | Refused | None]:
        """Several at once, in their order: for each what `submit` gives or refuses."""
        ...

    def is_pending(self, transaction_id: bytes) -> bool:
        """Whether it waits in this node's pool."""
        ...

    def on_disk_at(self, height: int) -> tuple[str, ...]:
        """The validators known to have the block of `height` on disk, this one included."""
        ...

    async def wait_for_height(self, height: int, timeout_s: float) -> bool:
        """Until the head is at `height`; False if it is not in time."""
        ...

    def frozen(self) -> AbstractContextManager[Reader]:
        """The whole store as it stands now, while the node goes on."""
        ...

    def evidence(self) -> Sequence[tuple[bytes, bytes]]:
        """The pairs of conflicting votes that this node keeps (rule 12), in their byte form."""
        ...

    def on_commit(self, listener: Callable[[ExecutedBlock], None]) -> None:
        """Call `listener`, on the event loop, for every block once it is on disk."""
        ...


class RunningNode:
    """The real node (`edge/runtime.py`) as the API sees it."""

    def __init__(self, node: NodeRuntime, runtime: Runtime) -> None:
        self._node = node
        self.runtime = runtime

    @property
    def chain(self) -> Chain:
        return self._node.chain

    def status(self) -> NodeStatus:
        node, replica = self._node, self._node.replica
        me = replica.config.node_id
        connected = set(node.peers.connected)
        others = [n.node_id for _, n in NODES.page(node.chain.state, limit=MAX_PEERS) if n.standing != "removed"]
        refusal = replica.last_refusal
        oldest_ms = replica.pool.oldest_since_ms
        return NodeStatus(
            node_id=me,
            round=replica.round,
            leader=replica.leader,
            votes=replica.votes,
            halted=None if replica.halted is None else replica.halted.detail,
            refused_block=None if refusal is None or refusal.height <= node.chain.height else refusal.detail,
            observe_through_height=replica.observe_through_height,
            best_height=replica.sync.credible_height(node.chain.validators),
            peers=tuple(PeerStatus(n, n in connected, replica.sync.height_of(n)) for n in others if n != me),
            pool_count=len(replica.pool),
            pool_bytes=replica.pool.bytes,
            pool_oldest_wait_ms=0 if oldest_ms is None else max(0, now().monotonic_ms - oldest_ms),
            equivocations=node.counters["equivocations"],
            misbehaved=node.counters["misbehaviour"],
            certificate_days_left=node.peers.certificate_days_left,
        )

    async def submit(self, transaction: Transaction, wait: Wait, timeout_s: float) -> int | None:
        return await self._node.submit(transaction, wait, timeout_s)

    async def submit_many(
        self, transactions: Sequence[Transaction], wait: Wait, timeout_s: float
    ) -> Sequence[int | Refused | None]:
        return await self._node.submit_many(transactions, wait, timeout_s)

    def is_pending(self, transaction_id: bytes) -> bool:
        return transaction_id in self._node.replica.pool

    def on_disk_at(self, height: int) -> tuple[str, ...]:
        node = self._node
        me = node.replica.config.node_id
        return tuple(
            v
            for v in node.chain.validators.ids
            if (node.chain.height if v == me else node.replica.sync.height_of(v) or 0) >= height
        )

    async def wait_for_height(self, height: int, timeout_s: float) -> bool:
        return await self._node.wait_for_height(height, timeout_s)

    def frozen(self) -> AbstractContextManager[Reader]:
        return self._node.frozen()

    def evidence(self) -> Sequence[tuple[bytes, bytes]]:
        return [(row.first, row.second) for row in self._node.evidence_rows()]

    def on_commit(self, listener: Callable[[ExecutedBlock], None]) -> None:
        self._node.on_commit(listener)


def reachable_validators(status: NodeStatus, validators: ValidatorSet) -> tuple[str, ...]:
    """The validators that take part as far as this node can tell, itself among them if it votes."""
    connected = {peer.node_id for peer in status.peers if peer.connected}
    if status.votes:
        connected.add(status.node_id)
    return tuple(node for node in validators.ids if node in connected)


def in_sync(status: NodeStatus, height: int) -> bool:
    return height + IN_SYNC_WITHIN_BLOCKS >= status.best_height
