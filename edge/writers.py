"""Writers at a steady rate: each signs its calls, sends them one after the other, and logs what was acknowledged.

A call is due at its time whether or not the network is well, as people press buttons whether or not a server is. What
was due while an earlier call of the same writer had no answer yet is sent as soon as that one has it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.client import DaichoClient
from ledger.crypto import SigningKey
from ledger.encoding import Value, encode
from ledger.refusal import Scalar
from ledger.types import Transaction, TransactionBody

LIFETIME_MS = 10 * 60 * 1000

Results = dict[str, Mapping[str, Scalar]]
"""What earlier calls answered, by their `ref`: later calls name the ids that those were given."""


@dataclass(frozen=True, slots=True)
class Call:
    """One write to make."""

    ref: str
    sender: str
    contract: str
    method: str
    args: Callable[[Results], Mapping[str, Value]]
    """Made when its turn comes: it may name what earlier calls of the same writer answered."""


@dataclass(slots=True)
class Write:
    """One write and what is known of it. Times are of the monotonic clock."""

    ref: str
    transaction_id: bytes
    due_ms: float
    sent_ms: float
    acknowledged_ms: float | None = None
    height: int | None = None
    reason: str = ""
    """The receipt's refusal; empty if it was done."""


class WriteLog:
    """What was sent and what was acknowledged, in memory and as lines of JSON that outlive a crash of the writer."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self.writes: list[Write] = []
        self._on_acknowledged: list[Callable[[], None]] = []

    def on_acknowledged(self, listener: Callable[[], None]) -> None:
        self._on_acknowledged.append(listener)

    def sent(self, write: Write) -> None:
        self.writes.append(write)
        self._line({"sent": write.transaction_id.hex(), "ref": write.ref})

    def acknowledged(self, write: Write) -> None:
        self._line({"acknowledged": write.transaction_id.hex(), "height": write.height, "reason": write.reason})
        for listener in self._on_acknowledged:
            listener()

    def _line(self, value: Mapping[str, object]) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class Pace:
    """When calls are due: the k-th of all writers' calls together `k / rate_per_s` seconds after the start."""

    start_ms: float
    rate_per_s: float

    def due_ms(self, position: int) -> float:
        return self.start_ms + position * 1000 / self.rate_per_s


@dataclass(slots=True)
class Signer:
    """Makes signed transactions for accounts whose keys it holds."""

    chain_id: bytes
    keys: Mapping[str, SigningKey]

    def sign(self, sender: str, contract: str, method: str, args: Mapping[str, Value]) -> Transaction:
        key = self.keys[sender]
        body = TransactionBody(
            chain_id=self.chain_id,
            sender=sender,
            public_key=key.public_key,
            contract=contract,
            method=method,
            args=encode(args),
            nonce=os.urandom(16),
            expires_at_ms=time.time_ns() // 1_000_000 + LIFETIME_MS,
        )
        return Transaction.sign(body, key)


def monotonic_ms() -> float:
    return time.monotonic_ns() / 1e6


@dataclass(slots=True)
class Writer:
    """Makes its calls in their order, each at its time. `calls` are (position among all writers' calls, call)."""

    client: DaichoClient
    signer: Signer
    log: WriteLog
    results: Results = field(default_factory=dict)

    async def run(self, calls: Sequence[tuple[int, Call]], pace: Pace) -> None:
        for position, call in calls:
            due_ms = pace.due_ms(position)
            wait_ms = due_ms - monotonic_ms()
            if wait_ms > 0:
                await asyncio.sleep(wait_ms / 1000)
            await self.write(call, due_ms)

    async def write(self, call: Call, due_ms: float) -> Write:
        transaction = self.signer.sign(call.sender, call.contract, call.method, call.args(self.results))
        write = Write(call.ref, transaction.id, due_ms, monotonic_ms())
        self.log.sent(write)
        answer = await self.client.submit_until_committed(transaction)
        write.acknowledged_ms = monotonic_ms()
        write.height, write.reason = answer.height, answer.reason
        self.results[call.ref] = answer.result
        self.log.acknowledged(write)
        return write


def longest_gap_ms(writes: Sequence[Write]) -> float:
    """The longest time between two acknowledgements that followed each other, whoever's they were."""
    times = sorted(w.acknowledged_ms for w in writes if w.acknowledged_ms is not None)
    return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
