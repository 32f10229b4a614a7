"""The pool of transactions that wait for a block: bounded by count, bytes and account, in order of arrival.

Pure: time is passed in. Every transaction in it has had its signature checked by this node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.refusal import Reason, Refused, Text
from ledger.types import Transaction

PASSED_OVER_MARGIN_MS = 1_500
"""How much longer than others, or than it takes everybody to know it, a transaction waits that is passed over."""


class PoolReason(Reason):
    POOL_FULL = Text(
        "混み合っています。しばらくしてから送り直してください",
        "the pool is full ({count} transactions): send it again shortly",
    )
    ACCOUNT_POOL_FULL = Text(
        "アカウント {account} の未処理の取引が多すぎます。しばらくしてから送り直してください",
        "account {account} has {count} transactions waiting: send it again shortly",
    )


@dataclass(frozen=True, slots=True)
class PoolLimits:
    max_count: int = 20_000
    max_bytes: int = 64 * 1024 * 1024
    max_account_count: int = 10_000


@dataclass(slots=True)
class _Waiting:
    transaction: Transaction
    since_ms: int
    gossiped_ms: int


class Mempool:
    def __init__(self, limits: PoolLimits | None = None) -> None:
        self.limits = limits or PoolLimits()
        self._waiting: dict[bytes, _Waiting] = {}
        self._by_bytes: dict[bytes, Transaction] = {}
        self._by_account: dict[str, int] = {}
        self.bytes = 0
        self.passed_over_blocks = 0
        self._proposer = ""

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, transaction_id: bytes) -> bool:
        return transaction_id in self._waiting

    def get(self, transaction_id: bytes) -> Transaction | None:
        waiting = self._waiting.get(transaction_id)
        return None if waiting is None else waiting.transaction

    def find(self, raw: bytes) -> Transaction | None:
        """The waiting transaction with exactly these bytes."""
        return self._by_bytes.get(raw)

    def add(self, transaction: Transaction, now_ms: int) -> bool:
        """Take a transaction in; False if it is here already. `Refused(PoolReason)` if there is no room.

        What is refused is not remembered: the same bytes are welcome again later.
        """
        if transaction.id in self._waiting:
            return False
        account = transaction.body.sender
        size = len(transaction.raw)
        if len(self._waiting) >= self.limits.max_count or self.bytes + size > self.limits.max_bytes:
            raise Refused(PoolReason.POOL_FULL, count=len(self._waiting))
        of_account = self._by_account.get(account, 0)
        if of_account >= self.limits.max_account_count:
            raise Refused(PoolReason.ACCOUNT_POOL_FULL, account=account, count=of_account)
        self._waiting[transaction.id] = _Waiting(transaction, now_ms, now_ms)
        self._by_bytes[transaction.raw] = transaction
        self._by_account[account] = of_account + 1
        self.bytes += size
        return True

    def pick(self) -> Iterator[Transaction]:
        """The waiting transactions in order of arrival. The pool must not change meanwhile."""
        return (waiting.transaction for waiting in self._waiting.values())

    def remove(self, transaction_id: bytes) -> None:
        waiting = self._waiting.pop(transaction_id, None)
        if waiting is None:
            return
        del self._by_bytes[waiting.transaction.raw]
        account = waiting.transaction.body.sender
        self.bytes -= len(waiting.transaction.raw)
        left = self._by_account[account] - 1
        if left:
            self._by_account[account] = left
        else:
            del self._by_account[account]

    def committed(self, transaction_ids: Iterable[bytes], *, proposer: str, has_room: bool, now_ms: int) -> None:
        """Take out what a block carried, and notice whether its proposer passed over the one that waits longest.

        Rule 9: it is passed over by a block that carries younger ones, or that had room while it had waited long enough
        for everybody to know it. An empty block of a lying leader is such a block, also where others finished it.
        """
        if proposer != self._proposer:
            self._proposer = proposer
            self.passed_over_blocks = 0
        oldest = next(iter(self._waiting), None)
        youngest_ms = now_ms if has_room else 0
        for transaction_id in transaction_ids:
            waiting = self._waiting.get(transaction_id)
            if waiting is not None:
                youngest_ms = max(youngest_ms, waiting.since_ms)
                self.remove(transaction_id)
        if oldest is None or oldest not in self._waiting:
            self.passed_over_blocks = 0
        elif youngest_ms > self._waiting[oldest].since_ms + PASSED_OVER_MARGIN_MS:
            self.passed_over_blocks += 1

    def expire(self, wall_ms: int) -> int:
        """Drop what no block may carry any more; how many that were."""
        dead = [i for i, w in self._waiting.items() if w.transaction.body.expires_at_ms <= wall_ms]
        for transaction_id in dead:
            self.remove(transaction_id)
        return len(dead)

    @property
    def oldest(self) -> Transaction | None:
        return next(self.pick(), None)

    @property
    def oldest_since_ms(self) -> int | None:
        """Since when the oldest waits, by the monotonic clock."""
        return next((w.since_ms for w in self._waiting.values()), None)

    def to_gossip_again(self, now_ms: int, after_ms: int, limit: int) -> list[bytes]:
        """Of the oldest, those not gossiped for `after_ms`: what was lost on the way is told again."""
        raws: list[bytes] = []
        for waiting in self._waiting.values():
            if len(raws) == limit or waiting.since_ms + after_ms > now_ms:
                break
            if waiting.gossiped_ms + after_ms <= now_ms:
                waiting.gossiped_ms = now_ms
                raws.append(waiting.transaction.raw)
        return raws
