"""A chain for the applications' tests: the contract is a function, everything else behaves like nodes do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from apps.common.chain import ChainUnavailable, Committed, Head, NotAdmitted, Plain, Step, Wait
from ledger.encoding import Value, decode
from ledger.refusal import Language, Scalar
from ledger.types import Event, Receipt, Transaction

START_MS = 1_775_000_000_000
"""Wed 1 Apr 2026, 08:33 JST."""


class FakeClock:
    """A wall clock that stands until it is turned."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, ms: int) -> None:
        self.now_ms += ms


@dataclass(frozen=True)
class Refuse:
    """What a fake contract answers to refuse a call."""

    reason: str


Contract = Callable[[Transaction, Mapping[str, Value]], "Refuse | tuple[dict[str, Scalar], list[Event]]"]


def accept_all(transaction: Transaction, arguments: Mapping[str, Value]) -> tuple[dict[str, Scalar], list[Event]]:
    """A contract that takes every call, with one event about the `subject` argument."""
    subject = str(arguments.get("subject", "thing:1"))
    event = Event(f"{transaction.body.method}_done", (subject,), {"method": transaction.body.method})
    return {"id": f"thing-{transaction.id.hex()[:8]}"}, [event]


@dataclass
class FakeChain:
    """One block for each transaction. `down`: nobody answers; `lose_answers`: taken, but the answer is lost."""

    clock: Callable[[], int]
    contract: Contract = accept_all
    chain_id: bytes = b"\x07" * 32
    down: bool = False
    lose_answers: int = 0
    drop: int = 0
    """That many submissions vanish on the way in."""
    not_admitted: str = ""
    is_behind: bool = False
    """Asked without a height, it answers as of before everything."""
    blocks: list[tuple[Transaction, Committed]] = field(default_factory=list)
    submitted: list[bytes] = field(default_factory=list)
    block_time_ms: int | None = None
    _grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit(self, raw: bytes, wait: Wait = "committed") -> Committed | None:
        if self.down:
            raise ChainUnavailable("no node answers")
        self.submitted.append(raw)
        if self.drop:
            self.drop -= 1
            raise ChainUnavailable("lost on the way in")
        transaction = Transaction.parse(raw)
        assert transaction.is_signed()
        committed = self._find(transaction.id) or self._commit(transaction)
        if self.lose_answers:
            self.lose_answers -= 1
            raise ChainUnavailable("the answer is lost")
        return committed

    def _commit(self, transaction: Transaction) -> Committed:
        if self.not_admitted:
            raise NotAdmitted(self.not_admitted, "受け付けません", "it is not taken")
        if transaction.body.expires_at_ms <= self.time_ms:
            raise NotAdmitted("expired", "期限切れ", "the transaction expired")
        arguments = decode(transaction.body.args)
        assert isinstance(arguments, Mapping)
        answer = self.contract(transaction, arguments)
        if isinstance(answer, Refuse):
            receipt = Receipt(transaction.id, answer.reason, {}, (), {})
        else:
            receipt = Receipt(transaction.id, "", {}, tuple(answer[1]), answer[0])
        committed = Committed(len(self.blocks) + 1, 0, self.time_ms, receipt)
        self.blocks.append((transaction, committed))
        self._grown.set()
        return committed

    @property
    def time_ms(self) -> int:
        return self.block_time_ms if self.block_time_ms is not None else self.clock()

    def _find(self, transaction_id: bytes) -> Committed | None:
        return next((c for t, c in self.blocks if t.id == transaction_id), None)

    async def find(self, transaction_id: bytes, min_height: int = 0) -> Committed | None:
        if self.down:
            raise ChainUnavailable("no node answers")
        return None if self.is_behind and min_height == 0 else self._find(transaction_id)

    async def head(self) -> Head:
        if self.down:
            raise ChainUnavailable("no node answers")
        return Head(len(self.blocks), self.time_ms)

    async def query(self, contract: str, method: str, arguments: Mapping[str, Value], min_height: int = 0) -> Plain:
        return {"contract": contract, "method": method}

    def _steps(self) -> list[Step]:
        return [Step(c.height, 0, c.time_ms, t.id, event) for t, c in self.blocks for event in c.receipt.events]

    async def history(self, subject: str, after: str = "", limit: int = 50) -> tuple[list[Step], str]:
        steps = [s for s in self._steps() if subject in s.event.subjects]
        start = int(after or "0")
        more = str(start + limit) if len(steps) > start + limit else ""
        return steps[start : start + limit], more

    async def proof(self, transaction_id: bytes) -> bytes:
        if self._find(transaction_id) is None:
            raise KeyError(transaction_id.hex())
        return json.dumps({"transaction": transaction_id.hex()}).encode()

    async def row_proof(self, key: bytes) -> bytes:
        return json.dumps({"row": key.decode()}).encode()

    async def events(self, after_height: int) -> AsyncIterator[tuple[Head, list[Step]]]:
        height = after_height
        while True:
            self._grown.clear()
            for _, committed in self.blocks[height:]:
                height = committed.height
                steps = [s for s in self._steps() if s.height == height]
                yield Head(height, committed.time_ms), steps
            await self._grown.wait()

    def reason_text(self, code: str, params: Mapping[str, Scalar], language: Language) -> str:
        return f"台帳が断りました({code})" if language == "ja" else f"the chain refused ({code})"
