"""What the replica is told, what it answers, and the ports through which it acts: the seams of `edge/replica.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from consensus.messages import Vote
from edge.wire import PeerMessage
from ledger.refusal import Reason, Text
from ledger.rules import ExecutedBlock
from ledger.types import Certificate


@dataclass(frozen=True, slots=True)
class Now:
    """The time as the caller's clocks have it: one never jumps, the other is what people agree on."""

    monotonic_ms: int
    wall_ms: int


class ReplicaReason(Reason):
    HALTED = Text("このノードは停止しています: {detail}", "this node has stopped taking part: {detail}")


class Network(Protocol):
    """Where messages go. Sending may fail silently: the protocol lives with loss."""

    def send(self, peer: str, message: PeerMessage) -> None: ...

    def broadcast(self, message: PeerMessage) -> None: ...


class Listener(Protocol):
    """Who wants to know what the replica has done."""

    def committed(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        """A block is decided and on disk."""
        ...

    def misbehaved(self, peer: str, what: str) -> None:
        """A peer sent what no honest node sends (rule 11)."""
        ...

    def evidence(self, first: Vote, second: Vote) -> None:
        """Two conflicting votes of one validator (rule 12)."""
        ...


@dataclass(frozen=True, slots=True)
class Halt:
    """Why the replica has stopped taking part; it stays at its last good block until it is restarted."""

    detail: str
    height: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last proposal that this node would not vote for, and why: which rule, and which keys it wrote itself."""

    height: int
    round: int
    detail: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission: in the pool, or in the chain already."""

    status: Literal["accepted", "committed"]
    transaction_id: bytes
