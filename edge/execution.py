"""Blocks executed on the head and remembered: none is executed twice between its proposal and its commit."""

from __future__ import annotations

from collections.abc import Callable

from edge.mempool import Mempool
from ledger import rules
from ledger.chain import Chain
from ledger.contract import Runtime
from ledger.rules import ExecutedBlock
from ledger.types import Transaction

MAX_KEPT = 4


class Executor:
    """Builds and checks blocks for the height after the head. What it keeps is of this height only, and little."""

    def __init__(self, chain: Chain, runtime: Runtime, pool: Mempool, is_signed: Callable[[Transaction], bool]) -> None:
        self._chain = chain
        self._runtime = runtime
        self._pool = pool
        self._is_signed = is_signed
        self._kept: dict[bytes, ExecutedBlock] = {}

    def build(self, *, time_ms: int, proposer: str) -> ExecutedBlock:
        """A block of what waits in the pool. MissingContractVersion if this build cannot execute it."""
        executed = rules.build_block(self._chain, self._runtime, self._pool.pick(), time_ms=time_ms, proposer=proposer)
        return self._keep(executed)

    def execute(self, digest: bytes, raw: bytes, *, recovered: bool = False) -> ExecutedBlock:
        """The block that `raw` is, executed; `Refused` or MissingContractVersion if it cannot stand on the head."""
        known = self._kept.get(digest)
        if known is not None and known.raw == raw:
            return known
        return self._keep(
            rules.check_block(
                self._chain,
                self._runtime,
                raw,
                is_signed=self._is_signed_once,
                parse=self._parse_once,
                recovered=recovered,
            )
        )

    def committed(self) -> None:
        """The head has moved: what was executed on the old one is of no use."""
        self._kept.clear()

    def _is_signed_once(self, transaction: Transaction) -> bool:
        """Each signature is checked once a node: what the pool holds, byte for byte, was checked on the way in."""
        pooled = self._pool.get(transaction.id)
        return (pooled is not None and pooled.raw == transaction.raw) or self._is_signed(transaction)

    def _parse_once(self, raw: bytes) -> Transaction:
        return self._pool.find(raw) or Transaction.parse(raw)

    def _keep(self, executed: ExecutedBlock) -> ExecutedBlock:
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[executed.digest] = executed
        return executed
